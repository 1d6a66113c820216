"""Simulated time."""

TICK = 1 / 120  # s, the grain of simulated time: commands take effect and delays are counted in whole ticks
