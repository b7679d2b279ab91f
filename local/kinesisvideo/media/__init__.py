"""The media plane of Kinesis Video Streams: PutMedia, GetMedia and the archive, over ASGI.

Uses: api (the settings' limits), store, mkv.
"""
