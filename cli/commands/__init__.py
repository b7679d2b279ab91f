"""The verbs of `./whosthere`, one file each.

Uses: aws, demo, review, setup, and the modules beside these packages.
"""
