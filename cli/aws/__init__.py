"""The deployed stack as the verbs use it: where it is, cameras, costs, schedules.

Uses: setup, errors; the library whosthere, and edge for what `pair` packs.
"""
