"""Strangers: their pictures, the review queue, and the same stranger known again.

Uses ingest, faces, visits and alerts.
"""
