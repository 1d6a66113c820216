"""The car: its file, its dynamics, its steering and speed calibration."""
