"""Figures of the way from a record to an alert or a stranger."""
