"""The car: its file, its dynamics, where its wheels are."""
