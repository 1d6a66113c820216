"""The hand file: the one that ships says what the pads' drivers say, and a bad one names its key."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from outlap.errors import OutlapError
from outlap.files import share_directory
from outlap.hand.config import HandConfig, load_hand


def test_what_ships_names_the_controls_of_any_pad(config: HandConfig) -> None:
    assert config.joystick.named
    assert config.joystick.controls == {
        "speed": ("left_stick_y",),
        "steering": ("right_stick_x",),
        "dead_man": ("left_shoulder",),
        "arm": ("south",),
        "disarm": ("east",),
        "policy": ("north",),
        "faster": ("dpad_up",),
        "slower": ("dpad_down",),
    }


def test_a_file_of_before_gives_numbers(numbered: HandConfig) -> None:
    assert not numbered.joystick.named
    assert numbered.joystick.controls["dead_man"] == (4,)
    words = numbered.joystick.numbers_as(lambda number, button: f"{'button' if button else 'axis'}-{number}")
    assert words.startswith("speed is axis-1, steering is axis-3, dead_man is button-4, arm is button-0")


TRIGGERS = {"forward": "right_trigger", "backward": "left_trigger", "dead_zone": 0.1, "expo": 0.3}


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        (("speed_limit",), float("nan"), "speed_limit"),
        (("speed_limit",), "fast", "speed_limit"),
        (("limit",), 1.0, "limit: unknown key"),
        (("joystick", "speed", "axis"), -1, "joystick.speed.axis"),
        (("joystick", "speed", "expo"), 2, "joystick.speed.expo"),
        (("joystick", "speed", "axis"), "left_stick", "no axis: one of left_stick_x"),
        (("joystick", "speed", "axis"), True, "joystick.speed.axis"),
        (("joystick", "speed", "axis"), 64, "joystick.speed.axis"),
        (("joystick", "speed", "axis"), "right_trigger", "write forward: right_trigger"),
        (("joystick", "speed", "axis"), 1, "all axes and buttons by name, or all by number"),
        (("joystick", "speed"), {**TRIGGERS, "axis": "left_stick_y"}, "give either axis"),
        (("joystick", "speed"), {**TRIGGERS, "forward": "left_stick_y"}, "write axis: left_stick_y"),
        (("joystick", "speed"), {**TRIGGERS, "backward": "right_trigger"}, "must be two axes"),
        (("joystick", "speed"), {"backward": "left_trigger", "dead_zone": 0.1, "expo": 0.3}, "give either axis"),
        (("joystick", "steering", "axis"), "left_trigger", "so it is no stick"),
        (("joystick", "arm"), {"button": "A"}, "no button: one of south"),
        (("joystick", "dead_man"), {"axis": "left_trigger", "beyond": -0.5}, "beyond must be more than zero"),
        (("pads",), [{"name": "Acme", "layouts": ["atari"]}], "there is no layout 'atari'"),
        (("pads",), [{"layouts": ["xpad"]}], "say which pad it is"),
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
