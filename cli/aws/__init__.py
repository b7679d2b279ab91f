"""What the verbs know of the deployed stack: where it is, its cameras, prices and schedules.

Uses the modules beside this package.
"""
