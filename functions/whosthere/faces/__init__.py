"""Whose a face is: how sure a match is, and faces followed from frame to frame.

Uses ingest, and the modules beside this package.
"""
