"""An hour of many cameras on a table in memory: what each adds, and which limit is met first."""
