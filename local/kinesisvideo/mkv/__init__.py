"""Matroska: its elements, and PutMedia's body cut into fragments.

Uses nothing else of local/.
"""
