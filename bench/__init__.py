"""Figures of the project, one command each.

Rooms: edge, laptop, alerts, owner; beside them what measures the whole.
"""
