"""People: who is enrolled, and the photos that enroll them.

Uses the modules beside this package.
"""
