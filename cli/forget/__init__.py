"""Forgetting: who is meant, what is removed of them, and what expires by itself.

Uses: aws, errors, and the library.
"""
