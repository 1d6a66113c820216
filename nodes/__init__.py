"""Outlap's ROS 2 nodes, packaged as ``outlap_nodes``: thin programs around the library, one node a file."""
