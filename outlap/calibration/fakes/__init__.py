"""A car, its camera and a person with a tape measure, all simulated, on whom calibration is tried."""
