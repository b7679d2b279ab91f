"""The capture pipeline: samples of a source become fragments of H.264.

Uses sources, media, tagging and the buffer.
"""
