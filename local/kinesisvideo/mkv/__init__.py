"""Matroska: its elements, and the parser that splits PutMedia's body into fragments.

Uses: kinesisvideo.errors only.
"""
