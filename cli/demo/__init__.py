"""The demo: plays a film to the deployed stack, and compares the alerts with what it holds.

Uses setup, and the modules beside this package.
"""
