"""Pictures as cameras and files have them become frames of the lens's size, or are refused."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from outlap.camera.frame import fit, from_bgr, from_jpeg, from_picture_file, from_yuyv, jpeg_size
from outlap.drivers.fakes.camera import numbered
from outlap.errors import OutlapError
from outlap.vehicle.car import load_car

LENS = load_car().camera.lens  # 160x120
PICTURE = numbered((160, 120), 5)
LARGE = cv2.resize(PICTURE, (640, 480), interpolation=cv2.INTER_NEAREST)


def jpeg(picture: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, 95))[1].tobytes()


def without_tables(content: bytes) -> bytes:
    """As Motion JPEG: the Huffman tables, which are JPEG's own examples, are left out."""
    place = 2
    while content[place + 1] != 0xDA:
        length = 2 + int.from_bytes(content[place + 2 : place + 4], "big")
        if content[place + 1] == 0xC4:
            content = content[:place] + content[place + length :]
        else:
            place += length
    return content


def test_a_larger_picture_of_the_same_proportions_is_scaled() -> None:
    frame = from_jpeg(jpeg(LARGE), 1.0, LENS)
    assert frame.pixels.shape == (120, 160)
    assert np.abs(frame.pixels.astype(int) - cv2.cvtColor(PICTURE, cv2.COLOR_BGR2GRAY)).mean() < 2
    assert jpeg_size(frame.to_jpeg(80)) == (160, 120), "what is recorded is what camera.lens describes"


def test_a_smaller_one_too() -> None:
    assert fit(PICTURE[::2, ::2], LENS).shape == (120, 160, 3)


def test_other_proportions_are_refused() -> None:
    with pytest.raises(OutlapError, match="other proportions"):
        from_bgr(PICTURE[:90], 0.0, LENS)


def test_a_cameras_own_jpeg_is_handed_on_untouched() -> None:
    content = jpeg(PICTURE)
    assert from_jpeg(content, 0.0, LENS).to_jpeg(10) is content
    padded = content + bytes(1000)
    assert from_jpeg(padded, 0.0, LENS).pixels.shape == (120, 160)


def test_motion_jpeg_without_tables_is_shown_and_handed_on_with_them() -> None:
    bare = without_tables(jpeg(PICTURE))
    frame = from_jpeg(bare, 0.0, LENS)
    assert np.array_equal(frame.pixels, from_jpeg(jpeg(PICTURE), 0.0, LENS).pixels)
    assert b"\xff\xc4" in frame.to_jpeg(90)


def test_colours_come_through() -> None:
    yuyv = cv2.cvtColor(PICTURE, cv2.COLOR_BGR2YUV_YUYV)
    for frame in (from_bgr(PICTURE, 0.0, LENS), from_yuyv(yuyv, 0.0, LENS), from_jpeg(jpeg(PICTURE), 0.0, LENS)):
        shown = cv2.imdecode(np.frombuffer(frame.to_jpeg(95), np.uint8), cv2.IMREAD_COLOR)
        assert np.abs(shown.astype(int) - PICTURE).mean() < 4


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        b"\xff\xd8\xff\xd9",
        jpeg(LARGE)[: len(jpeg(LARGE)) // 2],
        jpeg(PICTURE)[:-2],
        jpeg(PICTURE)[:700] + bytes(5000),
        b"\xff\xd8" + bytes(100) + b"\xff\xd9",
        cv2.imencode(".png", PICTURE)[1].tobytes()[:500],
    ],
)
def test_what_is_no_whole_picture_is_refused(content: bytes) -> None:
    with pytest.raises(OutlapError, match=r"cut short|cannot be decoded"):
        from_picture_file(content, 0.0, LENS)


def test_png_is_a_picture_too() -> None:
    frame = from_picture_file(cv2.imencode(".png", PICTURE)[1].tobytes(), 0.0, LENS)
    assert np.array_equal(frame.pixels, PICTURE[..., ::-1])


@pytest.mark.parametrize("content", [b"", b"\xff\xd8", b"\xff\xd8\xff\xc0\x00", b"\xff\xd8\xff\xe0\x00\x00" * 3])
def test_a_size_that_is_not_there_is_no_error(content: bytes) -> None:
    assert jpeg_size(content) == (0, 0)
