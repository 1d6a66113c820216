"""A picture on its way from a camera, a file or a recording to the canonical view."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from outlap.errors import OutlapError
from outlap.vehicle.car import Lens

Pixels = NDArray[np.uint8]

# JPEG markers (ITU-T T.81, table B.1).
START, END, SCAN, HUFFMAN_TABLES = b"\xff\xd8", b"\xff\xd9", b"\xff\xda", b"\xff\xc4"
TRAILER = 64  # bytes that may follow the last marker besides zeros, with which cameras fill up their buffers


class ProportionsError(OutlapError):
    """A picture has other proportions than the lens's, and would be so time and again."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture, of the size that the car file's lens has.

    Attributes:
        pixels: (H, W) grey or (H, W, 3) rgb8.
        captured: s on the clock of ``time.monotonic``, when the camera took it.
        jpeg: the picture as it came, where it came as a JPEG; maybe of another size.
        packed: (H, W, 2) YUYV as it came, where it came so; maybe of another size.
        canonical: whether it is the canonical view already, (h, w) grey, and no raw picture.
    """

    pixels: Pixels
    captured: float
    jpeg: bytes = b""
    packed: Pixels | None = None
    canonical: bool = False

    def to_jpeg(self, quality: int) -> bytes:
        """The picture as a JPEG of ``pixels``' size, in colour where it came so; ``quality`` 1 to 100, where it counts.

        A camera's own JPEG is handed on as it is, unless it relies on the Huffman tables that Motion JPEG leaves out.
        """
        height, width = self.pixels.shape[:2]
        if self.jpeg:
            if HUFFMAN_TABLES in self.jpeg[: self.jpeg.find(SCAN)] and jpeg_size(self.jpeg) == (width, height):
                return self.jpeg
            picture = _decode(self.jpeg, cv2.IMREAD_COLOR)
        elif self.packed is not None:
            picture = cv2.cvtColor(self.packed, cv2.COLOR_YUV2BGR_YUYV)
        else:
            picture = self.pixels if self.pixels.ndim == 2 else cv2.cvtColor(self.pixels, cv2.COLOR_RGB2BGR)
        if picture.shape[:2] != (height, width):
            picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
        return cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, quality))[1].tobytes()


def from_jpeg(jpeg: bytes, captured: float, lens: Lens) -> Frame:
    """A frame from a JPEG.

    Raises:
        OutlapError: it is cut short or cannot be decoded.
        ProportionsError: it has other proportions than the lens's picture.
    """
    end = jpeg.rfind(END)
    if not jpeg.startswith(START) or end < 0 or (len(jpeg) - end > TRAILER and jpeg[end + 2 :].strip(b"\0")):
        # What is decoded of a torn JPEG is grey from some row on, and nobody would know.
        raise OutlapError("a picture is cut short.")
    pixels = _decode(jpeg, cv2.IMREAD_GRAYSCALE)
    return Frame(fit(pixels, lens), captured, jpeg=jpeg)


def from_yuyv(packed: Pixels, captured: float, lens: Lens) -> Frame:
    """A frame from (H, W, 2) YUYV, of which the luma is the grey picture."""
    return Frame(fit(cv2.extractChannel(packed, 0).astype(np.uint8, copy=False), lens), captured, packed=packed)


def from_bgr(picture: Pixels, captured: float, lens: Lens) -> Frame:
    """A frame from what OpenCV decoded: (H, W) grey or (H, W, 3) bgr8.

    Raises:
        ProportionsError: it has other proportions than the lens's picture.
    """
    rgb = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB) if picture.ndim == 3 else picture
    return Frame(fit(rgb.astype(np.uint8, copy=False), lens), captured)


def from_picture_file(content: bytes, captured: float, lens: Lens) -> Frame:
    """A frame from a picture file's content, JPEG or another format that OpenCV reads.

    Raises:
        OutlapError: it cannot be decoded.
        ProportionsError: it has other proportions than the lens's picture.
    """
    if content.startswith(START):
        return from_jpeg(content, captured, lens)
    return from_bgr(_decode(content, cv2.IMREAD_COLOR), captured, lens)


def fits(width: int, height: int, lens: Lens) -> bool:
    """Whether a picture of this size in pixels has the lens's proportions, so that scaling it is all it takes."""
    return width * lens.height == height * lens.width


def fit(pixels: Pixels, lens: Lens) -> Pixels:
    """Scale a picture, (H, W) or (H, W, 3), to the size for which the lens was calibrated.

    Raises:
        ProportionsError: it has other proportions.
    """
    height, width = pixels.shape[:2]
    if (width, height) == (lens.width, lens.height):
        return pixels
    if not fits(width, height, lens):
        raise ProportionsError(
            f"a picture of {width}x{height} pixels came, which has other proportions than the {lens.width}x"
            f"{lens.height} of the car file's camera.lens: calibrate the lens at a size that the camera has."
        )
    way = cv2.INTER_AREA if width > lens.width else cv2.INTER_LINEAR
    return cv2.resize(pixels, (lens.width, lens.height), interpolation=way).astype(np.uint8, copy=False)


def jpeg_size(jpeg: bytes) -> tuple[int, int]:
    """Width and height in pixels from a JPEG's frame header (ITU-T T.81, B.2.2); zeros where it has none."""
    place = 2
    while place + 9 <= len(jpeg) and jpeg[place] == 0xFF:
        marker, length = jpeg[place + 1], int.from_bytes(jpeg[place + 2 : place + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = (int.from_bytes(jpeg[place + at : place + at + 2], "big") for at in (5, 7))
            return width, height
        place += 2 + length
    return 0, 0


def _decode(content: bytes, how: int) -> Pixels:
    try:
        picture = cv2.imdecode(np.frombuffer(content, np.uint8), how) if content else None
    except cv2.error:
        picture = None
    if picture is None:
        raise OutlapError("a picture cannot be decoded.")
    return picture.astype(np.uint8, copy=False)
