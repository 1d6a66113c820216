"""Tracks: geometry, file formats and the generator."""
