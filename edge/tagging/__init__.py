"""Decides which fragments are tagged for image generation: motion, or a face.

Uses media.
"""
