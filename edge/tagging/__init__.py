"""Decides which fragments are tagged for image generation: those with motion, or with a face.

Uses: media and the modules beside this package.
"""
