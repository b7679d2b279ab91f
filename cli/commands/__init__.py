"""The verbs of `./whosthere`, one file each, flat: what you type is the file's name.

Uses: aws, demo, review, setup, and the modules beside these packages.
"""
