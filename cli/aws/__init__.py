"""The deployed stack as the verbs use it: where it is, its settings and failures.

Rooms: cameras, sessions, people; they use these modules, and never the other way round.
Uses: setup, errors; the library whosthere, and edge for what `pair` packs.
"""
