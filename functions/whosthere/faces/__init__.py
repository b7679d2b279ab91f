"""Who a face shows, and faces followed from frame to frame.

Uses: ingest, and root modules.
"""
