"""The demo: plays a film to the deployed stack and compares the alerts with the right answers.

Uses: setup, errors, interrupts, progress, tables; the library whosthere, and edge's list of
cameras.
"""
