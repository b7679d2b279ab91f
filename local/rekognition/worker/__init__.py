"""The worker processes: they find, measure and compare faces.

Uses nothing else of rekognition.
"""
