"""Whosthere's library: what the functions and the command know of sessions, visits, people."""
