"""The buffer: fragments that are not stored yet, in memory and on disk, and counts of all others.

Uses: media and the modules beside this package.
"""
