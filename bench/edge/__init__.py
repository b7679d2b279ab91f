"""Figures of the edge: processor time, latency, memory, and pictures that arrive."""
