"""The deployed stack as the verbs use it: where it is, its cameras, prices and schedules.

Uses: setup, errors; the library whosthere, and edge for what `pair` packs.
"""
