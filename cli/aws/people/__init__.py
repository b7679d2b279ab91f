"""The people of a stack: their photos and faces, and their visits.

Uses: connect, target and time_formats beside it; the library whosthere.
"""
