"""Sends fragments to Kinesis Video Streams: PutMedia, acks and reconnecting.

Uses: media, buffer and the modules beside this package.
"""
