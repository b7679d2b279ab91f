"""Rekognition: collections, image operations and stream processors.

`api.service` is what MiniStack routes to. This module imports nothing, so that the worker
processes load only what they need.
Uses: ministack, security, shapes, kinesisvideo.mkv (the media that GetMedia sends).
"""
