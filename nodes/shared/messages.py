"""Topics' quality of service, and the few conversions between plain values and messages, which may be malformed."""

from __future__ import annotations

import math
from array import array
from typing import TYPE_CHECKING, Any

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Pose, Quaternion
from numpy.typing import NDArray
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import BatteryState, CameraInfo, CompressedImage, Image

if TYPE_CHECKING:
    from outlap.vehicle.car import Lens

CAMERA_FRAME, ODOMETRY_FRAME = "camera_optical_frame", "odom"  # as in REP-103 and REP-105

# Streams of which only the newest counts, and a late one not at all: images, /clock.
STREAM = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
# Commands and poses: the newest must arrive.
LATEST = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
# What a reader wants in full: /motor/state, /diagnostics.
RECORD = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
# A status that a late reader, too, gets at once.
CURRENT = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def to_time(seconds: float) -> Time:
    """Seconds as a message stamp, rounded to the nanosecond."""
    whole, nanoseconds = divmod(round(seconds * 1e9), 1_000_000_000)
    return Time(sec=whole, nanosec=nanoseconds)


def to_battery(stamp: Time, voltage: float) -> BatteryState:
    """A battery of which only the voltage (V) is known."""
    message = BatteryState(voltage=voltage, present=True)
    message.header.stamp = stamp
    unknown = ("temperature", "current", "charge", "capacity", "design_capacity", "percentage")
    for field in unknown:  # as sensor_msgs/BatteryState says what is not measured
        setattr(message, field, math.nan)
    return message


def to_seconds(stamp: Any) -> float:
    """A message stamp in seconds."""
    return stamp.sec + stamp.nanosec * 1e-9


def to_nanoseconds(stamp: Any) -> int:
    """A message stamp in whole nanoseconds, by which messages of one moment are told."""
    return stamp.sec * 1_000_000_000 + stamp.nanosec


def to_image(stamp: Time, frame: str, pixels: NDArray[np.uint8]) -> Image:
    """(H, W, 3) as rgb8 or (H, W) as mono8."""
    height, width = pixels.shape[:2]
    message = Image(height=height, width=width, step=pixels.nbytes // height)
    message.header.stamp, message.header.frame_id = stamp, frame
    message.encoding = "rgb8" if pixels.ndim == 3 else "mono8"
    # An array of the very type of the field is taken as it is; anything else is checked byte by byte in Python.
    message.data = array("B", pixels.tobytes())
    return message


def to_pixels(message: Image) -> NDArray[np.uint8]:
    """The picture as (H, W, 3) for rgb8 or (H, W) for mono8; a view of the message's own memory.

    Raises:
        ValueError: another encoding, a length that does not fit the size, or no pixels at all.
    """
    channels = {"rgb8": 3, "mono8": 1}.get(message.encoding)
    if channels is None:
        raise ValueError(f"an image is {message.encoding!r}, not rgb8 or mono8")
    if not (message.height and message.width):
        raise ValueError(f"an image of {message.width}x{message.height} has no pixels")
    rows = np.frombuffer(message.data, np.uint8).reshape(message.height, message.step)
    pixels = rows[:, : message.width * channels]
    size = message.height, message.width
    return pixels.reshape((*size, 3) if channels == 3 else size)


def to_compressed(stamp: Time, frame: str, jpeg: bytes) -> CompressedImage:
    """A JPEG as ROS carries it."""
    message = CompressedImage(format="jpeg")
    message.header.stamp, message.header.frame_id = stamp, frame
    message.data = array("B", jpeg)
    return message


def to_camera_info(stamp: Time, frame: str, lens: Lens) -> CameraInfo:
    """A lens as ROS describes it."""
    info = CameraInfo(height=lens.height, width=lens.width)
    info.header.stamp, info.header.frame_id = stamp, frame
    info.distortion_model = "equidistant" if lens.model == "fisheye" else "plumb_bob"
    wanted = 4 if lens.model == "fisheye" else 5
    info.d = [*lens.distortion, *[0.0] * (wanted - len(lens.distortion))]
    info.k = [lens.fx, 0.0, lens.cx, 0.0, lens.fy, lens.cy, 0.0, 0.0, 1.0]
    info.r = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    info.p = [lens.fx, 0.0, lens.cx, 0.0, 0.0, lens.fy, lens.cy, 0.0, 0.0, 0.0, 1.0, 0.0]
    return info


def to_quaternion(yaw: float) -> Quaternion:
    """A heading in rad as a rotation about the vertical axis."""
    return Quaternion(z=math.sin(yaw / 2), w=math.cos(yaw / 2))


def to_yaw(rotation: Quaternion) -> float:
    """The heading in rad of a rotation about the vertical axis."""
    x, y, z, w = rotation.x, rotation.y, rotation.z, rotation.w
    return math.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))


def to_place(pose: Pose) -> tuple[float, float, float] | None:
    """Place (m, m) and heading (rad) on the ground; None where they are not finite."""
    position, turned = pose.position, pose.orientation
    given = position.x, position.y, turned.x, turned.y, turned.z, turned.w
    return (position.x, position.y, to_yaw(turned)) if all(map(math.isfinite, given)) else None
