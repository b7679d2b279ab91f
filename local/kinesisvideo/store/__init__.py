"""Streams, their fragments on disk, and the images and notifications of tagged fragments.

Uses: mkv.
"""
