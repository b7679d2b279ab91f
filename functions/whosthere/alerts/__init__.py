"""Alerts: every text that the owner reads about persons and strangers, how it is sent, and mutes.

Uses: people (for names), and root modules.
"""
