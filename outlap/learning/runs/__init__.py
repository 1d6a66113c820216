"""Runs: their folder, checkpoints, validation and results."""
