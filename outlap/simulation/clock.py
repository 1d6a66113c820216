"""Simulated time."""

TICK = 1 / 120  # s, the grain of simulated time: commands take effect and delays are counted in whole ticks
LIVE_DELAY = (1, 2)  # ticks from a command to the actuators on a live graph, least and most
