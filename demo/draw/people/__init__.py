"""Model a person and draw the person in light.

Uses: face, and the modules beside these packages.
"""
