"""The pictures of a recording: of topics with sensor_msgs/Image or sensor_msgs/CompressedImage."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from outlap.errors import OutlapError
from outlap.recording import names
from outlap.recording.read import Message, Recording

VIEW_TOPIC, RAW_TOPIC = f"/{names.VIEW}", f"/{names.RAW}"  # of a graph without a namespace
KINDS = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")
CHANNELS = {"mono8": 1, "8UC1": 1, "rgb8": 3, "bgr8": 3, "8UC3": 3}  # 8UC3 is OpenCV's word, and OpenCV's order: BGR
BGR = ("bgr8", "8UC3")
JPEG_START, JPEG_END = b"\xff\xd8", b"\xff\xd9"
MOST_PIXELS = 4096 * 4096  # a lens's greatest picture, see the car file


class Picture(NamedTuple):
    """One recorded picture."""

    stamp: int  # ns, of its exposure
    received: int  # ns, the recorder's clock
    pixels: NDArray[np.uint8]  # (H, W) grey levels, or (H, W, 3) RGB


def image_topics(recording: Recording) -> list[str]:
    """The topics that carry pictures, the camera's own frames first, then the canonical view, then others."""
    found = [name for name, topic in recording.topics.items() if topic.type in KINDS]
    order = (names.RAW, names.VIEW)
    return sorted(found, key=lambda topic: (*(not names.is_named(topic, name) for name in order), topic))


def main_topic(recording: Recording) -> str:
    """The topic whose pictures are the car's: its camera's own frames, the canonical view, or any; "" if there is none.

    Raises:
        OutlapError: there are those of several cars.
    """
    topics = image_topics(recording)
    ours = (names.find_topic(topics, name) for name in (names.RAW, names.VIEW))
    return next(filter(None, ours), "".join(topics[:1]))


def read_images(recording: Recording | Path, topic: str | None = None) -> Iterator[Picture]:
    """The pictures of a topic, or of the first of :func:`image_topics`, in the order in which they were recorded.

    A picture that is damaged is left out. Nothing is read before the first is asked for but what a ``Path`` needs to be
    opened.

    Raises:
        OutlapError: nothing is there, it is not MCAP, or there is no such topic; at once, not at the first picture.
    """
    opened = recording if isinstance(recording, Recording) else Recording(recording)
    topics = image_topics(opened)
    if not topics or (topic is not None and topic not in topics):
        found = ", ".join(topics) or "none"
        raise OutlapError(
            f"{opened.path}: no pictures on {topic or 'any topic'} are recorded (topics with some: {found})."
        )
    return _pictures(opened, topic or topics[0])


def to_picture(recording: Recording, message: Message) -> Picture:
    """A message of one of :data:`KINDS` as a picture.

    Raises:
        OutlapError: it cannot be decoded, or is of an encoding that is not known here.
    """
    content = recording.decode(message)
    try:
        pixels = _compressed(content) if message.type == KINDS[1] else _plain(content)
        stamp = to_nanoseconds(content)
    except (ValueError, AttributeError, TypeError, cv2.error) as error:
        raise OutlapError(f"{recording.path}: a picture on {message.topic} is refused: {error}.") from error
    return Picture(stamp, message.received, pixels)


def to_nanoseconds(content: Any) -> int:
    """The stamp in the header of a decoded message, ns."""
    return content.header.stamp.sec * 1_000_000_000 + content.header.stamp.nanosec


def _pictures(recording: Recording, topic: str) -> Iterator[Picture]:
    for message in recording.messages((topic,)):
        try:
            yield to_picture(recording, message)
        except OutlapError as error:
            if str(error) not in recording.problems:
                recording.problems.append(str(error))


def _plain(content: Any) -> NDArray[np.uint8]:
    channels = CHANNELS.get(content.encoding)
    if channels is None:
        raise ValueError(f"its encoding is {str(content.encoding)[:20]!r}, none of {', '.join(CHANNELS)}")
    width = content.width * channels
    if not (content.width > 0 and content.height > 0 and content.width * content.height <= MOST_PIXELS):
        raise ValueError(f"its size is {content.width}x{content.height}")
    if content.step < width or len(content.data) != content.height * content.step:
        raise ValueError(f"{len(content.data)} bytes came for {content.width}x{content.height} {content.encoding}")
    rows = np.frombuffer(content.data, np.uint8).reshape(content.height, content.step)[:, :width]
    if channels == 1:
        return np.ascontiguousarray(rows)
    pixels = rows.reshape(content.height, content.width, 3)
    return np.ascontiguousarray(pixels[..., ::-1] if content.encoding in BGR else pixels)


def _compressed(content: Any) -> NDArray[np.uint8]:
    data = np.frombuffer(content.data, np.uint8)
    whole = bytes(data[:2]) != JPEG_START or JPEG_END in bytes(data[-64:])  # OpenCV fills up what lacks with grey
    decoded = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if len(data) and whole else None
    if decoded is None or decoded.dtype != np.uint8 or (decoded.ndim == 3 and decoded.shape[2] != 3):
        raise ValueError(f"its {len(data)} bytes of {str(content.format)[:20]!r} are no picture of 8 bits a channel")
    return np.ascontiguousarray(decoded[..., ::-1] if decoded.ndim == 3 else decoded).astype(np.uint8, copy=False)
