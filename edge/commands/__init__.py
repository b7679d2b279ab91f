"""The verbs of `whosthere-edge` that send no video.

Uses: sources, media, tagging, auth, upload and the modules beside this package.
"""
