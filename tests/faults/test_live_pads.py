"""Row 22: pads whose axes and buttons are not what their numbers were taken for, and a pad that becomes another."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from fault_figures import FULL, Measured
from hand_link import ARM, DEAD_MAN, SPEED, HandLink

from outlap.drivers.fakes.joystick import UNKNOWN, XBOX_BLUETOOTH, XBOX_CABLE, FakePad
from outlap.files import share_directory

pytestmark = pytest.mark.live

TIMES = 20 if FULL else 1
Y = 0x134  # on a pad by Bluetooth the button of number 4, which is the dead man's by cable
LEFT_TRIGGER, RIGHT_TRIGGER = 0x02, 0x05
NUMBERS = {
    "dead_man": {"button": 4},
    "arm": {"button": 0},
    "disarm": {"button": 1},
    "policy": {"button": 3},
    "faster": {"axis": 7},
    "slower": {"axis": 7, "beyond": -0.5},
}
MakeLink = Callable[..., HandLink]


@pytest.fixture
def make_link(probe: Any, start: Callable[..., Any], tmp_path: Path) -> Iterator[MakeLink]:
    """``make_link(pad, speed={"axis": 5})``: a motor and a stand-in, with changes in the hand file's joystick."""
    made: list[HandLink] = []

    def make(pad: FakePad, speed: dict[str, object] | None = None, **joystick: Any) -> HandLink:
        content = yaml.safe_load((share_directory() / "config" / "hand.yaml").read_text())
        content["joystick"] |= joystick
        if speed is not None:
            content["joystick"]["speed"] = {"dead_zone": 0.1, "expo": 0.3, **speed}
        path = tmp_path / "hand.yaml"
        path.write_text(yaml.safe_dump(content))
        start("motor", use_sim_time=False)
        made.append(HandLink(probe, start, tmp_path / "js0", pad, path))
        probe.until(lambda: made[-1].speeds, "the motor writing")
        return made[-1]

    yield make
    for link in made:
        link.device.cut()


@pytest.mark.fault(22)
@pytest.mark.parametrize(
    ("name", "speed", "others"),
    [
        ("trigger by number", {"axis": 5, "inverted": True}, {"steering": {"axis": 3, "dead_zone": 0.1, "expo": 0}}),
        ("triggers by name", {"forward": "right_trigger", "backward": "left_trigger"}, {}),
    ],
)
def test_an_armed_car_does_not_move_untouched(
    make_link: MakeLink, name: str, speed: dict[str, object], others: dict[str, Any], measured: Measured
) -> None:
    link = make_link(XBOX_CABLE, speed, **(others | (NUMBERS if "axis" in speed else {})))
    moved = 0
    for _ in range(TIMES):
        link.arm()
        moved += not link.stays_neutral(0.5)
    measured(f"moved untouched, {name}", moved, limit=0, unit="times", injections=TIMES)
    if "forward" in speed:  # and they do drive
        link.device.move(RIGHT_TRIGGER, 1.0)
        link.probe.until(lambda: link.moves, "driving by the trigger")
        link.device.move(RIGHT_TRIGGER, -1.0)
        link.device.move(LEFT_TRIGGER, 1.0)
        link.probe.until(lambda: link.speeds[-1][1] < 0, "driving backward by the other")
    assert not moved


@pytest.mark.fault(22)
def test_by_bluetooth_the_same_buttons_do_the_same(make_link: MakeLink, measured: Measured) -> None:
    link = make_link(XBOX_BLUETOOTH)
    moved = 0
    for _ in range(TIMES):
        link.arm()
        link.device.press(DEAD_MAN, down=False)
        link.device.move(SPEED, -1.0)
        link.device.press(ARM)  # and whatever else is no dead man's switch
        link.device.press(0x13B)
        moved += not link.stays_neutral(0.5)
        for button in (ARM, 0x13B):
            link.device.press(button, down=False)
        link.device.press(DEAD_MAN)
        link.probe.until(lambda: link.moves, "driving with LB")
        link.device.press(DEAD_MAN, down=False)
        link.device.move(SPEED, 0.0)
        link.probe.spin(0.2)
        link.device.press(Y)
        link.device.move(SPEED, -1.0)
        moved += not link.stays_neutral(0.5)
        link.device.press(Y, down=False)
        link.device.move(SPEED, 0.0)
    measured("moved without LB, by Bluetooth", moved, limit=0, unit="times", injections=TIMES)
    assert not moved


@pytest.mark.fault(22)
def test_a_pad_that_becomes_another_is_lost(make_link: MakeLink, measured: Measured) -> None:
    link = make_link(XBOX_CABLE)
    delays = []
    for _ in range(TIMES):
        link.drive()
        # Its last movement: on a busy machine a late message makes it stand for a moment before.
        began = time.monotonic()
        link.device.renumber(UNKNOWN)
        link.probe.spin(1.0)
        delays.append(max([at - began for at, speed in link.speeds if at >= began and speed] or [0.0]))
        assert link.stays_neutral(0.5), "it moved again"
        link.device.renumber(XBOX_CABLE)
        link.mend()
    said = link.programs["joystick"].said
    assert "it has become another: 'Acme Racing Pad' (usb 1234:5678, driver hid-generic)" in said
    print("delays in ms:", *(f"{delay * 1e3:.0f}" for delay in delays))
    measured("last moved, pad becomes another", max(delays), limit=0.5, injections=TIMES)


@pytest.mark.fault(22)
def test_an_unknown_pad_moves_nothing_and_is_told_of(make_link: MakeLink, measured: Measured) -> None:
    link = make_link(UNKNOWN)
    link.probe.until(lambda: "is not known" in link.programs["joystick"].said, "saying so")
    moved = 0
    for _ in range(TIMES):
        for button in link.device.pad.buttons:
            link.device.press(button)
            link.device.move(SPEED, -1.0)
            link.probe.spin(0.1)
            link.device.press(button, down=False)
            link.device.move(SPEED, 0.0)
        moved += not link.stays_neutral(0.3)
    said = link.programs["joystick"].said
    assert "the pad 'Acme Racing Pad' (usb 1234:5678, driver hid-generic) is not known" in said
    assert "Traceback" not in said
    measured("moved by an unknown pad", moved, limit=0, unit="times", injections=TIMES)
    assert not moved
