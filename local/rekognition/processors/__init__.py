"""A running stream processor: live media in, records out.

Uses: worker, kinesisvideo.mkv.
"""
