"""Alerts: how a message to the owner is made, sent and muted.

Uses the modules beside this package.
"""
