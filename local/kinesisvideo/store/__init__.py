"""Streams and their fragments on disk, and the work that tagged fragments cause.

Uses mkv.
"""
