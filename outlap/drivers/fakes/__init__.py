"""Stand-ins for hardware that is not here: each speaks the real protocol and records what it was sent, and when."""
