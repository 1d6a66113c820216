"""Calibration of a real car: steering, speed, lens and mount; questions, answers and time come from outside."""
