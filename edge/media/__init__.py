"""Formats of video: H.264, Matroska, timestamps, rotation; no threads and no network.

Uses: no other room.
"""
