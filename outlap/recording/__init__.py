"""Recordings of drives: MCAP files as ``ros2 bag`` and Foxglove know them, written so that a crash loses a second."""
