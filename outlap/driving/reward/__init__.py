"""Rewards of driven steps: the built-in one, and a user's own file in a process of its own."""
