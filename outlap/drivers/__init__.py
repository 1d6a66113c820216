"""Cameras and actuators of real hardware, and for each a stand-in that speaks its protocol and records."""
