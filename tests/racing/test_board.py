"""The board beside the road: the car is drawn where it is, and a browser gets each picture."""

from __future__ import annotations

import http.client
import math
import socket
import threading
import time
from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from outlap.racing.board import MAP, Board
from outlap.racing.page import Page
from outlap.racing.scene import ACCENT, WIDTH
from outlap.track.track import Track
from outlap.vehicle.car import Car


@pytest.fixture
def page() -> Iterator[Page]:
    page = Page(0)
    yield page
    page.close()


def asked(page: Page, path: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(page.address.removeprefix("http://").strip("/"), timeout=30)
    connection.request("GET", path)
    return connection.getresponse()


def shown(page: Page, pictures: list[bytes]) -> threading.Thread:
    """Show these as soon as somebody watches, in a thread."""

    def show() -> None:
        for picture in pictures:
            while not page.watched:
                time.sleep(0.001)
            page.show(picture)
            time.sleep(0.02)

    thread = threading.Thread(target=show, daemon=True)
    thread.start()
    return thread


def test_the_car_is_drawn_where_it_is(ring: Track, car: Car) -> None:
    board = Board(ring, car)
    empty = board.draw(["nothing yet"])
    assert empty.dtype == np.uint8
    board.raw, board.view = np.full((120, 160, 3), 90, np.uint8), np.full((48, 80), 200, np.uint8)
    for angle in (0.0, 0.5 * math.pi, 1.2 * math.pi):
        x, y = 1.2 * math.cos(angle), 1.2 * math.sin(angle)
        board.move(x, y, angle, 1.5)
        picture = board.draw(["one", "two", "three"])
        assert picture.shape[1] == WIDTH + MAP
        assert picture.shape[0] > empty.shape[0]
        rows, columns = np.nonzero((picture[:MAP, WIDTH:] == ACCENT).all(axis=-1))
        assert len(rows) > 4
        # From above: x to the right, y up, the ring in the middle.
        scale = (MAP - 40) / 3.2
        assert columns.mean() - MAP / 2 == pytest.approx(x * scale, abs=0.15 * scale)
        assert MAP / 2 - rows.mean() == pytest.approx(y * scale, abs=0.15 * scale)
    decoded = cv2.imdecode(np.frombuffer(board.jpeg(["one", "two", "three"]), np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    assert decoded.shape == picture.shape


@pytest.mark.parametrize("raw", [(1, 1), (1, 3000), (3000, 1), (7, 5)])
@pytest.mark.parametrize("view", [(1, 1), (3000, 4000), (1, 5000), (5000, 1)])
def test_pictures_of_any_size_are_drawn(ring: Track, car: Car, raw: tuple[int, int], view: tuple[int, int]) -> None:
    board = Board(ring, car)
    board.raw, board.view = np.full((*raw, 3), 90, np.uint8), np.full(view, 200, np.uint8)
    height, width = board.draw([]).shape[:2]
    assert height * width < 10_000_000


@pytest.mark.parametrize("far", [1e9, -1e9, 1e300])
def test_a_car_that_is_nowhere_near_is_drawn_outside(ring: Track, car: Car, far: float) -> None:
    board = Board(ring, car)
    empty = board.draw([])
    board.move(far, far, far, far)
    assert np.array_equal(board.draw([]), empty)


def test_a_browser_gets_the_page_and_each_picture(page: Page) -> None:
    answer = asked(page, "/")
    assert (answer.status, answer.getheader("Content-Type")) == (200, "text/html; charset=utf-8")
    assert b'<img src="stream"' in answer.read()
    assert not page.watched
    shown(page, [b"first"])
    answer = asked(page, "/picture.jpg")
    assert (answer.status, answer.read()) == (200, b"first")
    thread = shown(page, [b"second", b"third"])
    stream = asked(page, "/stream")
    assert (stream.getheader("Content-Type") or "").startswith("multipart/x-mixed-replace; boundary=")
    read = b""
    while b"third" not in read:
        read += stream.read1()
    assert read.index(b"second") < read.index(b"third")
    thread.join()
    stream.close()
    while page.watched:  # noticed when the next picture finds nobody
        page.show(b"fourth")
        time.sleep(0.001)


def test_a_page_answers_nothing_else_and_only_this_machine(page: Page) -> None:
    assert asked(page, "/../etc/passwd").status == 404
    assert asked(page, "/status").status == 404
    assert page.address.startswith("http://127.0.0.1:")


def test_a_taken_port_gives_way_to_a_free_one(page: Page) -> None:
    taken = int(page.address.rstrip("/").rpartition(":")[2])
    other = Page(taken)
    assert other.address != page.address
    assert asked(other, "/").status == 200
    other.close()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", int(other.address.rstrip("/").rpartition(":")[2])), timeout=5)


def test_a_stream_ends_with_the_page(page: Page) -> None:
    shown(page, [b"only"])
    stream = asked(page, "/stream")
    assert b"only" in stream.read1()
    page.close()
    assert stream.read().strip() == b""
