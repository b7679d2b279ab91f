"""Draw a face: its shape, skin, hair and expression.

Uses: curves, look, mesh and pose beside it.
"""
