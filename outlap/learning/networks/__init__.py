"""Networks that learn: the student, what an actor of a list of actions is, and how their weights are kept."""
