"""The state of a running edge: event log, status file, watchdog and systemd.

Uses: media, buffer and the modules beside this package.
"""
