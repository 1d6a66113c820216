"""The kernel's joystick device, read from a stand-in that answers its ioctls and writes its events."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from outlap.drivers.fakes.joystick import UNKNOWN, XBOX_BLUETOOTH, StandInJoystick
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
    joystick.press(0x136)
    assert device.read()
    assert device.axes[0] == 1.0  # left is positive
    assert device.axes[1] == pytest.approx(-0.5, abs=1e-4)
    assert device.buttons[4] == 1
    joystick.press(0x136, down=False)
    assert device.read()
    assert device.buttons[4] == 0


def test_says_who_it_is_and_what_the_kernel_calls_each_axis_and_button(tmp_path: Path) -> None:
    with StandInJoystick(tmp_path / "js0", XBOX_BLUETOOTH) as joystick:
        joystick.plug()
        device = JoystickDevice(str(joystick.path))
        device.read()
        pad = device.identity
        assert pad is not None
        assert str(pad) == "'Xbox Wireless Controller' (bluetooth 045e:0b13, driver microsoft)"
        assert pad.axes == XBOX_BLUETOOTH.axes and pad.buttons == XBOX_BLUETOOTH.buttons
        device.close()


def test_one_that_becomes_another_while_it_is_open_is_lost(joystick: StandInJoystick, device: JoystickDevice) -> None:
    joystick.plug()
    device.read()
    device.verify()
    assert device.present
    joystick.renumber(joystick.pad._replace(axes=(*joystick.pad.axes[1::-1], *joystick.pad.axes[2:])))
    device.verify()
    assert not device.present and device.axes == []
    assert device.problem.startswith("it has become another: 'Microsoft X-Box One S pad'")
    joystick.renumber(UNKNOWN)


def test_an_unplugged_one_is_forgotten_and_comes_back(joystick: StandInJoystick, device: JoystickDevice) -> None:
    assert not device.read()
    assert device.problem == "No such file or directory"
    joystick.plug()
    device.read()
    joystick.press(0x136)
    assert device.read()
    joystick.cut()
    assert device.read()
    assert not device.present
    assert (device.identity, device.axes, device.buttons, device.problem) == (None, [], [], "it has ended")
    assert not device.read()
    joystick.plug()
    assert device.read()
    assert device.present
    assert device.buttons[4] == 1  # as a pad that somebody holds says at its start
    assert device.problem == ""


def test_an_event_that_comes_in_two_parts_is_one(joystick: StandInJoystick, device: JoystickDevice) -> None:
    event = struct.pack("<IhBB", 7, -32767, 2, 1)
    assert len(event) == 8
    joystick.plug()
    device.read()
    joystick.write(event[:3])
    device.read()
    assert device.axes[1] == 0
    joystick.write(event[3:])
    assert device.read()
    assert device.axes[1] == 1.0


def test_it_is_not_there_before_it_has_told_its_whole_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StandInJoystick, "_start", lambda self: [struct.pack("=IhBB", 0, 0, 0x81, 0)])
    with StandInJoystick(tmp_path / "js0") as joystick:
        joystick.plug()
        device = JoystickDevice(str(joystick.path))
        device.read()
        assert not device.present  # nothing of it is taken for being at rest
        device.close()


@pytest.mark.parametrize("event", [(1, 5, 3, 0), (1, 5, 2, 8), (1, 5, 1, 11), (1, 5, 1, 255), (0, 0, 0, 0)])
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
    assert device.problem.startswith("it is no joystick device, such as /dev/input/js0")


def test_nor_is_the_null_device() -> None:
    device = JoystickDevice("/dev/null")
    device.read()
    assert not device.present
    assert device.problem.startswith("it is no joystick device, such as /dev/input/js0")


def test_a_device_of_another_group_is_told_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(path: str, *flags: int) -> int:  # the tests may run as root, whom nothing is denied
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    path = tmp_path / "js0"
    path.touch()
    monkeypatch.setattr("outlap.drivers.joydev.os.open", denied)
    device = JoystickDevice(str(path))
    device.read()
    assert "this user may not read it, but would in the group input" in device.problem
