"""Camera model and the canonical view, the one picture that every policy sees."""
