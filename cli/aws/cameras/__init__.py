"""A camera of the stack: its identity in AWS IoT, its folder, what it does at the moment.

Uses: connect, target and time_formats beside it; the library whosthere; edge for what `pair` packs.
"""
