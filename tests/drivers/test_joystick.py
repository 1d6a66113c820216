"""The kernel's joystick events, read from a stand-in that writes them."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from outlap.drivers.fakes.joystick import StandInJoystick
from outlap.drivers.joystick import JoystickDevice


@pytest.fixture
def joystick(tmp_path: Path) -> Iterator[StandInJoystick]:
    with StandInJoystick(tmp_path / "js0") as joystick:
        yield joystick


@pytest.fixture
def device(joystick: StandInJoystick) -> Iterator[JoystickDevice]:
    device = JoystickDevice(str(joystick.path))
    yield device
    device.close()


def test_tells_its_state_at_the_start_and_what_changes(joystick: StandInJoystick, device: JoystickDevice) -> None:
    joystick.plug()
    assert device.read()
    assert device.present
    assert device.axes == [0, 0, 1, 0, 0, 1, 0, 0]  # triggers rest at 1, as joy_node has it
    assert device.buttons == [0] * 11
    assert not device.read()
    joystick.move(0, -1.0)
    joystick.move(1, 0.5)
    joystick.press(4)
    assert device.read()
    assert device.axes[0] == 1.0  # left is positive
    assert device.axes[1] == pytest.approx(-0.5, abs=1e-4)
    assert device.buttons[4] == 1
    joystick.press(4, down=False)
    assert device.read()
    assert device.buttons[4] == 0


def test_an_unplugged_one_is_forgotten_and_comes_back(joystick: StandInJoystick, device: JoystickDevice) -> None:
    assert not device.read()
    assert device.problem == "No such file or directory"
    joystick.plug()
    joystick.press(4)
    assert device.read()
    joystick.cut()
    assert device.read()
    assert not device.present
    assert (device.axes, device.buttons, device.problem) == ([], [], "it has ended")
    assert not device.read()
    joystick.plug()
    assert device.read()
    assert device.present
    assert device.problem == ""


def test_an_event_that_comes_in_two_parts_is_one(tmp_path: Path) -> None:
    event = struct.pack("<IhBB", 7, -32767, 2, 1)
    assert len(event) == 8
    path = tmp_path / "js0"
    joystick = StandInJoystick(path, axes=0, buttons=0)
    joystick.plug()
    device = JoystickDevice(str(path))
    joystick.write(event[:3])
    device.read()
    assert device.axes == []
    joystick.write(event[3:])
    assert device.read()
    assert device.axes == [0, 1.0]
    device.close()
    joystick.cut()


@pytest.mark.parametrize("event", [(1, 5, 3, 0), (1, 5, 2, 64), (1, 5, 1, 255), (0, 0, 0, 0)])
def test_what_no_joystick_says_ends_it(
    joystick: StandInJoystick, device: JoystickDevice, event: tuple[int, int, int, int]
) -> None:
    joystick.plug()
    device.read()
    joystick.write(struct.pack("<IhBB", *event))
    device.read()
    assert not device.present
    assert device.problem.startswith("it sent an event of type")


@pytest.mark.parametrize("content", [b"", bytes(4096)])
def test_a_file_is_no_joystick(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "js0"
    path.write_bytes(content)
    device = JoystickDevice(str(path))
    device.read()
    assert not device.present
    assert device.problem


def test_a_device_of_another_group_is_told_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(path: str, *flags: int) -> int:  # the tests may run as root, whom nothing is denied
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    monkeypatch.setattr("outlap.drivers.joystick.os.open", denied)
    device = JoystickDevice(str(tmp_path / "js0"))
    device.read()
    assert "this user may not read it, but would in the group input" in device.problem
