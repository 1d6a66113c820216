"""Learning on from what a car meets in a live simulator."""
