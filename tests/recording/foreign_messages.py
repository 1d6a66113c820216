"""What messages with pictures are made of, for recordings by somebody else."""

from __future__ import annotations

from typing import Any

import numpy as np

LINE = "=" * 80
TIME = f"{LINE}\nMSG: builtin_interfaces/Time\nint32 sec\nuint32 nanosec"
HEADER = f"{LINE}\nMSG: std_msgs/Header\nbuiltin_interfaces/Time stamp\nstring frame_id\n{TIME}"
IMAGE = f"""std_msgs/Header header
uint32 height
uint32 width
string encoding
uint8 is_bigendian
uint32 step
uint8[] data
{HEADER}"""
COMPRESSED = f"std_msgs/Header header\nstring format\nuint8[] data\n{HEADER}"
STATE = f"std_msgs/Header header\nstring[] name\nfloat64[] position\nfloat64[] velocity\nfloat64[] effort\n{HEADER}"
VECTOR = f"{LINE}\nMSG: geometry_msgs/Vector3\nfloat64 x\nfloat64 y\nfloat64 z"
TWIST = f"{LINE}\nMSG: geometry_msgs/Twist\nVector3 linear\nVector3 angular\n{VECTOR}"
DEFINITIONS = {
    "sensor_msgs/msg/Image": IMAGE,
    "sensor_msgs/msg/CompressedImage": COMPRESSED,
    "sensor_msgs/msg/JointState": STATE,
    "geometry_msgs/msg/TwistStamped": f"std_msgs/Header header\nTwist twist\n{HEADER}\n{TWIST}",
}

Entry = tuple[str, str, dict[str, Any]]  # topic, type, content


def header(stamp: float) -> dict[str, Any]:
    whole, rest = divmod(round(stamp * 1e9), 1_000_000_000)
    return {"stamp": {"sec": whole, "nanosec": rest}, "frame_id": "camera_optical_frame"}


def plain(stamp: float, pixels: np.ndarray, encoding: str, padding: int = 0) -> dict[str, Any]:
    """A sensor_msgs/Image, with ``padding`` bytes behind each row."""
    height, width = pixels.shape[:2]
    rows = np.pad(pixels.reshape(height, -1), ((0, 0), (0, padding)))
    return {
        "header": header(stamp),
        "height": height,
        "width": width,
        "encoding": encoding,
        "is_bigendian": 0,
        "step": rows.shape[1],
        "data": rows.tobytes(),
    }
