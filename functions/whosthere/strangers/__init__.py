"""Strangers: their pictures, the review queue, and the same stranger recognised again.

Uses: ingest, faces, alerts, visits, and root modules.
"""
