"""Sends fragments to Kinesis Video Streams: PutMedia, acks and reconnecting.

Uses: media, the buffer and the modules beside this package.
"""
