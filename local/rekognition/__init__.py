"""Rekognition of the laptop AWS: collections, image operations and stream processors.

`service` is what the emulator is given. This module stays empty, so that the
worker processes import nothing but what they need.
"""
