"""The worker processes, which detect, measure and compare faces.

Uses: rekognition.errors only.
"""
