"""How the edge is doing: status for people and programs, watchdog and systemd.

Uses the modules beside this package.
"""
