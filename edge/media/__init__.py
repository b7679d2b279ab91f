"""H.264, Matroska, time and picture arithmetic: formats, with no threads and no network.

Uses the modules beside this package.
"""
