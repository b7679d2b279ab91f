"""Figures of the project, one command each."""
