"""The capture pipeline: turns the frames of a source into tagged fragments of H.264.

Uses: sources, media, tagging, monitor, buffer and the modules beside this package.
"""
