"""The verbs of `./whosthere`, a file each.

Uses every other package of cli/.
"""
