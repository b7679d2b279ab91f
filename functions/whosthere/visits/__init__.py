"""Visits: runs of sightings of one person or stranger, and exactly one alert for each.

Uses: ingest, faces, people, alerts, and root modules.
"""
