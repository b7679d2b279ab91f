"""Figures of the project, one command each.

Rooms: edge, laptop, alerts, owner, fleet; beside them what measures the whole.
"""
