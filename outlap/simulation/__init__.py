"""The built-in simulator: many cars at once, their dynamics, their cameras and what is randomised."""
