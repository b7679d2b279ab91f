"""Figures of the laptop AWS: memory, PutMedia, face search."""
