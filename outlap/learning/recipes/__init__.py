"""How a run learns: the stages of each recipe."""
