"""Films: pictures of a video, of a folder or of a recorded drive, one after the other with their times."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from outlap.camera.capturing import open_capture
from outlap.camera.frame import Frame, ProportionsError, fit, from_bgr, from_picture_file
from outlap.camera.view import View
from outlap.errors import OutlapError
from outlap.files import read_bytes
from outlap.recording.images import main_topic, read_images
from outlap.recording.names import VIEW, is_named
from outlap.recording.read import SUFFIX, Recording
from outlap.vehicle.car import Camera

VIDEOS = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mjpeg", ".mjpg")
PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".pgm", ".webp")
PICTURE_BYTES = 64 * 1024 * 1024
TUB_IMAGES = "images"  # the folder of a Donkeycar tub (version 2) in which its pictures lie
COUNT_TOLERANCE = 0.02  # part of its pictures by which a video's own count may be wrong: many containers estimate it

Say = Callable[[str], object]


class Shot(NamedTuple):
    """One picture of a film."""

    time: float  # s since whenever
    frame: Frame  # whose own time says nothing


class Film(ABC):
    """Where pictures come from, as often as they are asked for."""

    period: float  # s from picture to picture, where their times do not tell

    @abstractmethod
    def shots(self, say: Say) -> Iterator[Shot]:
        """The pictures from the beginning; one that is damaged is left out, and told of in one sentence.

        Raises:
            OutlapError: the file has gone.
            ProportionsError: a picture has other proportions than the lens's.
        """


def open_film(path: Path, camera: Camera, view: View) -> Film:
    """What plays the file or folder at ``path`` for a camera whose frames become ``view``.

    Raises:
        OutlapError: it is not there, or of no kind that can be played.
    """
    if path.is_dir():
        if any(path.glob(f"*{SUFFIX}")):
            return RecordedFilm(path, camera, view)
        return PictureFilm(_pictures(path), camera)
    if not path.is_file():
        raise OutlapError(f"{path}: there is no such file or folder to play (parameter path of the camera node).")
    suffix = path.suffix.lower()
    if suffix == SUFFIX:
        return RecordedFilm(path, camera, view)
    if suffix in PICTURES:
        return PictureFilm([path], camera)
    if suffix in VIDEOS:
        return VideoFilm(path, camera)
    raise OutlapError(
        f"{path}: a file {suffix or 'without a suffix'} cannot be played: give a video ({', '.join(VIDEOS)}), a "
        f"recording ({SUFFIX}), or a folder of pictures."
    )


class PictureFilm(Film):
    """Picture files, at the camera's rate."""

    def __init__(self, paths: list[Path], camera: Camera) -> None:
        self.period = 1 / camera.rate
        self._paths, self._lens = paths, camera.lens

    def shots(self, say: Say) -> Iterator[Shot]:
        for number, path in enumerate(self._paths):
            try:
                frame = from_picture_file(read_bytes(path, "picture", PICTURE_BYTES), 0.0, self._lens)
            except ProportionsError as error:
                raise ProportionsError(f"{path}: {error}") from error
            except OutlapError as error:
                told = str(error)
                say(told if str(path) in told else f"{path}: {told}")
                continue
            yield Shot(number * self.period, frame)


class VideoFilm(Film):
    """A video, at its own pace."""

    def __init__(self, path: Path, camera: Camera) -> None:
        self._path, self._lens = path, camera.lens
        rate = self._open().get(cv2.CAP_PROP_FPS)
        self.period = 1 / (rate if 0 < rate < 1000 else camera.rate)

    def shots(self, say: Say) -> Iterator[Shot]:
        video = self._open()
        count, expected = 0, video.get(cv2.CAP_PROP_FRAME_COUNT)
        try:
            while True:
                read, picture = video.read()
                if not read:
                    break
                count += 1
                try:
                    frame = from_bgr(picture.astype(np.uint8, copy=False), 0.0, self._lens)
                except ProportionsError as error:
                    raise ProportionsError(f"{self._path}: {error}") from error
                yield Shot(video.get(cv2.CAP_PROP_POS_MSEC) / 1000, frame)
        finally:
            video.release()
        if expected - count > max(COUNT_TOLERANCE * expected, 1):
            say(f"{self._path}: only {count} of some {expected:.0f} pictures of the video could be read.")

    def _open(self) -> cv2.VideoCapture:
        video = open_capture(str(self._path), cv2.CAP_FFMPEG)
        if not video.isOpened():
            raise OutlapError(f"{self._path}: this is no video that can be played, or it is damaged.")
        return video


class RecordedFilm(Film):
    """A recorded drive: the camera's own frames, or where those lack the canonical view as it is."""

    def __init__(self, path: Path, camera: Camera, view: View) -> None:
        self.period = 1 / camera.rate
        self._recording, self._lens, self._view = Recording(path), camera.lens, view
        self._topic = main_topic(self._recording)
        if not self._topic:
            raise OutlapError(f"{path}: no pictures are recorded there.")
        self._told = 0

    def shots(self, say: Say) -> Iterator[Shot]:
        recording, canonical = self._recording, is_named(self._topic, VIEW)
        for picture in read_images(recording, self._topic):
            self._tell(say)
            pixels = picture.pixels
            if not canonical:
                try:
                    pixels = fit(pixels, self._lens)
                except ProportionsError as error:
                    raise ProportionsError(f"{recording.path}: {error}") from error
            elif pixels.shape != (self._view.height, self._view.width):
                raise ProportionsError(
                    f"{recording.path}: {self._topic} holds pictures of shape {pixels.shape}, the canonical view is "
                    f"{self._view.width}x{self._view.height} mono8: record {self._topic} anew."
                )
            yield Shot(picture.stamp * 1e-9, Frame(pixels, 0.0, canonical=canonical))
        self._tell(say)

    def _tell(self, say: Say) -> None:
        problems = self._recording.problems
        for problem in problems[self._told :]:
            say(problem)
        self._told = len(problems)


def _pictures(folder: Path) -> list[Path]:
    """The pictures of a folder, or of the tub that it is, by the numbers in their names."""
    for place in (folder, folder / TUB_IMAGES):
        if place.is_dir():
            found = [path for path in place.iterdir() if path.suffix.lower() in PICTURES and path.is_file()]
            if found:
                return sorted(found, key=_natural)
    raise OutlapError(f"{folder}: there are no pictures ({', '.join(PICTURES)}) and no recording in this folder.")


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sorts 2.jpg before 10.jpg."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"([0-9]+)", path.name)]
