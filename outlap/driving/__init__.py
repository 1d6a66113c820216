"""Driving on a track without learning: the task, actions, rewards, laps, and who drives."""
