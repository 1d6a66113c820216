"""What generated tracks are made of: a sketch of corners, and their rounding."""
