"""Patches of IAM: managed policies, policy variables, decisions.

Uses: ministack, security.
"""
