"""The hand file: the one that ships says what the pads' drivers say, and a bad one names its key."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from outlap.errors import OutlapError
from outlap.files import share_directory
from outlap.hand.config import HandConfig, load_hand


def test_what_ships_suits_an_xbox_pad_and_a_playstation_pad(config: HandConfig) -> None:
    """Of both, joydev's axes 0 to 7 are left x, y, trigger, right x, y, trigger, hat x, y; button 4 is L1 or LB."""
    pad = config.joystick
    assert (pad.speed.axis, pad.steering.axis, pad.faster.axis, pad.slower.axis) == (1, 3, 7, 7)
    assert (pad.dead_man.button, pad.arm.button, pad.disarm.button) == (4, 0, 1)


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        (("speed_limit",), float("nan"), "speed_limit"),
        (("speed_limit",), "fast", "speed_limit"),
        (("limit",), 1.0, "limit: unknown key"),
        (("joystick", "speed", "axis"), -1, "joystick.speed.axis"),
        (("joystick", "speed", "expo"), 2, "joystick.speed.expo"),
        (("joystick", "dead_man"), {"button": 4, "axis": 2}, "give either a button or an axis"),
        (("joystick", "dead_man"), {}, "give either a button or an axis"),
        (("joystick", "dead_man"), {"axis": 2, "beyond": 0.0}, "away from zero"),
        (("joystick", "late"), 0.5, "joystick.late"),
        (("joystick", "lost"), 0.08, "lost must not be less than late"),
        (("keyboard", "left"), ["up"], "the key 'up' is given twice"),
        (("keyboard", "arm"), ["space"], "the key 'space' always stops"),
        (("keyboard", "quit"), [], "keyboard.quit"),
        (("keyboard", "hold"), 0.5, "keyboard.hold"),
    ],
)
def test_a_bad_file_is_refused_by_its_key(tmp_path: Path, place: tuple, value: object, words: str) -> None:
    content = yaml.safe_load((share_directory() / "config" / "hand.yaml").read_text())
    *sections, key = place
    section = content
    for name in sections:
        section = section[name]
    section[key] = value
    path = tmp_path / "hand.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(OutlapError, match=r"hand\.yaml: the hand file is refused") as refusal:
        load_hand(path)
    assert words in str(refusal.value)
