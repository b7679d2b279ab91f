"""The verbs of `./whosthere`, one file each.

Uses: aws, demo, setup, and the modules beside these packages.
"""
