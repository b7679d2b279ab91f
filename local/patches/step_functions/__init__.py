"""Patches of Step Functions: branches, executions, retries, tasks.

Uses: ministack, security.
"""
