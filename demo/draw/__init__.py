"""Draw the demo's film and portraits: people who do not exist, at a door that does not.

Uses nothing of the rest.
"""
