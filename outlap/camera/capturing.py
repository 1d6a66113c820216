"""Opens what OpenCV captures from, without its own words on standard error: what matters is said by who opens it."""

from __future__ import annotations

import contextlib
import os

import cv2

# Read by OpenCV when it first uses the part: FFmpeg says nothing, and a camera that sends nothing is given up after one
# second instead of ten.
SETTINGS = {"OPENCV_FFMPEG_LOGLEVEL": "-8", "OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT": "1"}


def open_capture(path: str, backend: int) -> cv2.VideoCapture:
    """A capture of a device or a file by one of OpenCV's backends (cv2.CAP_V4L2, cv2.CAP_FFMPEG); maybe not opened."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    with contextlib.suppress(AttributeError):  # where an older OpenCV has no such module, its warnings are shown
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
    return cv2.VideoCapture(path, backend)
