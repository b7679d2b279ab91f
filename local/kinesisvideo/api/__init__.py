"""The control plane of Kinesis Video Streams: create, describe, change and delete streams.

Uses: store.
"""
