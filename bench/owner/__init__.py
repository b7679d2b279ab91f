"""Figures of what the owner waits for: the page, lists, decisions, photos."""
