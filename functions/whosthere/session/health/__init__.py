"""The health of a running session: is there video, and do its records arrive and get used?

Uses the modules beside this package's parent.
"""
