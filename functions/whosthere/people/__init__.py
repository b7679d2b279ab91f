"""People: who is enrolled, and the photos that enroll them.

Uses: dynamodb, errors, names.
"""
