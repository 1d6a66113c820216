"""Outlap teaches a model car to drive from its camera in simulation; the same ROS 2 nodes then drive the real car."""

__version__ = "0.1.0"
