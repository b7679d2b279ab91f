"""Sends fragments to Kinesis Video Streams: PutMedia, its acks, and reconnecting.

Uses media, the buffer and auth.
"""
