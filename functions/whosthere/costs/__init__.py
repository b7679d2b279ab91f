"""What AWS bills: one table of prices, counted usage, and limits on what is spent.

Uses metrics, session_store and the root modules below them.
"""
