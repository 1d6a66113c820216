"""Keys as a wish: what a terminal without releases can say, what one with them says, and how either is lost."""

from __future__ import annotations

import pytest

from outlap.hand.config import HandConfig
from outlap.hand.decode import Decoder
from outlap.hand.keys import Keys
from outlap.hand.signs import Action, Wish

UP, DOWN, LEFT, RIGHT = b"\x1b[A", b"\x1b[B", b"\x1b[D", b"\x1b[C"


class Typist:
    """Somebody at a terminal, and a program that looks every 20 ms."""

    def __init__(self, config: HandConfig) -> None:
        self.keys, self.decoder = Keys(config.keyboard), Decoder()
        self.now = 50.0
        self.wish: Wish | None = None
        self.wait(0.1)

    def wait(self, seconds: float) -> Wish | None:
        for _ in range(round(seconds / 0.02)):
            self.now += 0.02
            self.wish = self.keys.wish(self.now)
        return self.wish

    def type(self, data: bytes) -> list[Action]:
        return [action for key in self.decoder.feed(data) for action in self.keys.hear(self.now, key)]

    def hold(self, data: bytes, seconds: float, delay: float = 0.5, every: float = 0.04) -> Wish | None:
        """As a terminal does it: once, a delay, and then repeats; the last just before the end."""
        self.type(data)
        self.wait(delay)
        for _ in range(round((seconds - delay) / every)):
            self.type(data)
            self.wait(every)
        return self.wish


@pytest.fixture
def typist(config: HandConfig) -> Typist:
    return Typist(config)


def test_a_held_key_drives_through_the_delay_and_stops_soon_after(typist: Typist) -> None:
    typist.type(UP)
    for _ in range(30):
        wish = typist.wait(0.02)
        assert wish is not None
        assert wish.held
    typist.hold(UP, 2.0, delay=0.04)
    assert typist.wish == Wish(True, 1.0, 0.0)
    assert typist.wait(0.10) == Wish(True, 1.0, 0.0)
    assert typist.wait(0.06) == Wish(False, 0.0, 0.0)


def test_a_tap_ends_by_itself(typist: Typist, config: HandConfig) -> None:
    typist.type(UP)
    assert typist.wait(config.keyboard.first_hold + 0.04) == Wish(False, 0.0, 0.0)
    typist.hold(UP, 2.0)
    typist.wait(0.3)
    typist.type(UP)  # a new press, with the delay before it again
    assert typist.wait(0.5) != Wish(False, 0.0, 0.0)


def test_speed_and_steering_come_smoothly(typist: Typist) -> None:
    typist.type(UP)
    speeds = [typist.wait(0.02) for _ in range(10)]
    assert all(wish is not None and 0 < wish.speed < 0.3 for wish in speeds)
    typist.hold(LEFT, 0.1, delay=0.1)
    assert typist.wish is not None
    assert 0 < typist.wish.steering < 0.5
    typist.hold(LEFT, 1.0)
    assert typist.wish.steering == 1


def test_steering_keeps_the_speed_alive_and_ends_with_its_own_key(typist: Typist) -> None:
    typist.hold(UP, 1.5)
    typist.hold(LEFT, 1.5)
    assert typist.wish == Wish(True, 1.0, 1.0)
    typist.hold(RIGHT, 1.5)
    assert typist.wish == Wish(True, 1.0, -1.0)
    typist.hold(UP, 1.5)
    assert typist.wish == Wish(True, 1.0, 0.0)
    assert typist.wait(0.2) == Wish(False, 0.0, 0.0)
    typist.hold(LEFT, 1.5)  # steering alone does not drive
    assert typist.wish == Wish(True, 0.0, 1.0)


def test_turning_round_passes_through_standing(typist: Typist) -> None:
    typist.hold(UP, 1.5)
    typist.type(DOWN)
    wish = typist.wait(0.02)
    assert wish is not None
    assert -0.1 < wish.speed < 0
    typist.hold(DOWN, 2.0)
    assert typist.wish == Wish(True, -1.0, 0.0)


@pytest.mark.parametrize("stopper", [b" ", b"z", b"\x1a", b"\x1b[3~", b"\x1b[O", b"x", b"\r"])
def test_space_or_any_other_key_stops_at_once(typist: Typist, stopper: bytes) -> None:
    typist.hold(UP, 1.5)
    typist.type(stopper)
    assert typist.wait(0.02) == Wish(False, 0.0, 0.0)
    typist.hold(b"\x1b[1;1:1A", 1.5)  # and where releases are told
    typist.type(stopper)
    assert typist.wait(0.02) == Wish(False, 0.0, 0.0)
    typist.type(b"\x1b[1;1:2A")  # still held: it must be pressed anew
    assert typist.wait(0.02) == Wish(False, 0.0, 0.0)


def test_keys_ask(typist: Typist) -> None:
    asked = typist.type(b"\r\x7fxp+=-q\x03")
    assert asked == [
        Action.ARM,
        Action.DISARM,
        Action.DISARM,
        Action.POLICY,
        Action.FASTER,
        Action.FASTER,
        Action.SLOWER,
        Action.QUIT,
        Action.QUIT,
    ]
    assert typist.type(b"\x1b[13;1:1u\x1b[13;1:2u\x1b[13;1:3u") == [Action.ARM]


def test_told_releases_count(typist: Typist) -> None:
    typist.type(b"\x1b[?11u\x1b[119;1:1u")  # w
    for _ in range(30):
        typist.wait(0.1)
        typist.type(b"\x1b[?11u")
    assert typist.wish == Wish(True, 1.0, 0.0)
    typist.type(b"\x1b[97;1:1u")  # and a
    for _ in range(10):
        typist.wait(0.1)
        typist.type(b"\x1b[?11u")
    assert typist.wish == Wish(True, 1.0, 1.0)
    typist.type(b"\x1b[100;1:1u")  # and d, the newer of two counts
    typist.wait(0.1)
    typist.type(b"\x1b[?11u")
    assert typist.wish.steering < 1
    typist.type(b"\x1b[97;1:3u\x1b[100;1:3u\x1b[119;1:3u")
    assert typist.wait(0.02)._replace(steering=0) == Wish(False, 0.0, 0.0)  # type: ignore[union-attr] # never None here


def test_a_terminal_that_tells_releases_and_falls_silent_stops_the_car(typist: Typist, config: HandConfig) -> None:
    """The network between the terminal and here is cut while a key is held: no release will ever come."""
    typist.type(b"\x1b[?11u\x1b[119;1:1u")
    assert typist.wait(0.18) is not None
    assert typist.wish.held  # type: ignore[union-attr] # said above
    assert typist.wait(0.06) == Wish(False)  # nobody knows what is pressed: the wheels stay as they are
    assert typist.wait(0.3) is None
    typist.type(b"\x1b[?11u\x1b[119;1:2u")
    assert typist.wait(0.02) == Wish(False, 0.0, 0.0)
    typist.type(b"\x1b[119;1:1u")
    assert typist.wait(0.02) != Wish(False, 0.0, 0.0)
