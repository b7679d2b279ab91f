"""The owner's page: who was here, strangers to decide on, people and cameras.

Uses: aws, errors, interrupts; the library whosthere.
"""
