"""Gazebo: worlds from tracks, the car's model, and what stands between its joints and the port."""
