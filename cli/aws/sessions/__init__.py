"""Sessions as the verbs start and describe them: price, schedule, report.

Uses: connect, target and time_formats beside it; the library whosthere.
"""
