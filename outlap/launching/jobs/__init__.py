"""Runs pure functions somewhere, with their results in order: the face is in executor.py, local processes beside it."""
