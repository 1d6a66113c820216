"""Pictures come out of recordings as they went in, whoever wrote them; what is damaged is left out, never a crash."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from foreign_messages import header, plain

from outlap.errors import OutlapError
from outlap.recording.images import RAW_TOPIC, VIEW_TOPIC, image_topics, read_images
from outlap.recording.read import Recording

IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
Foreign = Callable[..., Path]
RNG = np.random.default_rng(0)
GREY, COLOUR = RNG.integers(0, 256, (48, 80), np.uint8), RNG.integers(0, 256, (30, 40, 3), np.uint8)


def jpeg(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes()


@pytest.mark.parametrize(
    ("encoding", "sent", "got"),
    [
        ("mono8", GREY, GREY),
        ("8UC1", GREY, GREY),
        ("rgb8", COLOUR, COLOUR),
        ("bgr8", COLOUR, COLOUR[..., ::-1]),
        ("8UC3", COLOUR, COLOUR[..., ::-1]),
    ],
)
@pytest.mark.parametrize("padding", [0, 3])
def test_plain_pictures_come_back_as_they_were(
    foreign: Foreign, encoding: str, sent: np.ndarray, got: np.ndarray, padding: int
) -> None:
    path = foreign([(VIEW_TOPIC, IMAGE, plain(1.5 + 0.1 * row, sent, encoding, padding)) for row in range(3)])
    pictures = list(read_images(path))
    assert [picture.stamp for picture in pictures] == [1_500_000_000, 1_600_000_000, 1_700_000_000]
    assert [picture.received for picture in pictures] == [1_000_000_000, 1_010_000_000, 1_020_000_000]
    for picture in pictures:
        np.testing.assert_array_equal(picture.pixels, got)


@pytest.mark.parametrize("shape", [(30, 40), (30, 40, 3)])
def test_compressed_pictures_come_back_as_rgb_or_grey(foreign: Foreign, shape: tuple[int, ...]) -> None:
    smooth = cv2.GaussianBlur(RNG.integers(0, 256, shape, np.uint8), (0, 0), 3)
    path = foreign([(RAW_TOPIC, COMPRESSED, {"header": header(2.0), "format": "jpeg", "data": jpeg(smooth)})])
    (picture,) = read_images(path)
    expected = smooth[..., ::-1] if smooth.ndim == 3 else smooth  # OpenCV writes BGR
    assert np.abs(picture.pixels.astype(int) - expected).mean() < 2


def test_the_camera_s_own_frames_come_first_unless_a_topic_is_named(foreign: Foreign) -> None:
    view = plain(1.0, GREY, "mono8")
    raw = {"header": header(1.0), "format": "jpeg", "data": jpeg(COLOUR)}
    path = foreign([("/a", IMAGE, view), (VIEW_TOPIC, IMAGE, view), (RAW_TOPIC, COMPRESSED, raw)])
    assert image_topics(Recording(path)) == [RAW_TOPIC, VIEW_TOPIC, "/a"]
    assert next(read_images(path)).pixels.shape == COLOUR.shape
    assert next(read_images(path, VIEW_TOPIC)).pixels.shape == GREY.shape


@pytest.mark.parametrize(
    "wrong",
    [
        {"encoding": "32FC1"},
        {"width": 81},
        {"height": 0},
        {"step": 79},
        {"data": b""},
        {"width": 2**31, "height": 2**31},
    ],
)
def test_a_damaged_picture_is_left_out_and_told_of(foreign: Foreign, wrong: dict[str, Any]) -> None:
    good = plain(1.0, GREY, "mono8")
    recording = Recording(foreign([(VIEW_TOPIC, IMAGE, content) for content in (good, good | wrong, good)]))
    assert len(list(read_images(recording))) == 2
    (problem,) = recording.problems
    assert f"a picture on {VIEW_TOPIC} is refused" in problem


@pytest.mark.parametrize("data", [b"", b"nonsense", jpeg(COLOUR)[:-40], jpeg(COLOUR)[:20]])
def test_a_compressed_picture_that_is_cut_short_is_left_out(foreign: Foreign, data: bytes) -> None:
    recording = Recording(foreign([(RAW_TOPIC, COMPRESSED, {"header": header(1.0), "format": "jpeg", "data": data})]))
    assert list(read_images(recording)) == []
    assert len(recording.problems) == 1


def test_a_recording_without_such_pictures_is_refused_at_once(foreign: Foreign) -> None:
    path = foreign([(VIEW_TOPIC, IMAGE, plain(1.0, GREY, "mono8"))])
    with pytest.raises(OutlapError, match=r"no pictures on /other are recorded \(topics with some: /camera/image\)"):
        read_images(path, "/other")
