"""Driving by hand: what a joystick or the keys of a terminal mean to the car. Imports no ROS and reads no clock."""
