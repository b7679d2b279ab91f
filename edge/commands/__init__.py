"""The verbs of `whosthere-edge` that send no video.

Uses: sources and the modules beside this package.
"""
