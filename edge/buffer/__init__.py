"""The fragments that are not stored yet, in memory and on disk; uses mkv and errors only."""
