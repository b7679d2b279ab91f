"""Authentication and authorization: the guard, signed requests, IAM's messages, loopback checks.

Uses: no other room.
"""
