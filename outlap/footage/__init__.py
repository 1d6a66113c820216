"""Recorded drives of real cars: what a policy would have steered, against what the human did."""
