"""Rekognition's operations: collections, pictures, stream processors and tags.

Uses: processors, worker.
"""
