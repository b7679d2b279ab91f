"""Visits: sightings of one person or stranger in a row, and exactly one alert for each.

Uses ingest, faces, people and alerts.
"""
