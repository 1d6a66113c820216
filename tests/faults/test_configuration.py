"""Row 16: every program and verb that reads configuration refuses what is malformed, quickly, and moves nothing."""

from __future__ import annotations

import math
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from fault_figures import FULL, Measured
from rig import Recorder

from outlap.files import share_directory
from outlap.launching.domain import Domain
from outlap.launching.environment import ros_environment

pytestmark = [pytest.mark.live, pytest.mark.fault(16)]

LIMIT = 2.0  # s, the row's
ATTEMPTS = 4 if FULL else 1  # of which the quickest counts


class Spoiled(NamedTuple):
    """Where a file is changed, and to what; the key must be named."""

    key: str
    value: Any


NAN = float("nan")
FILES: dict[str, tuple[str, dict[str, Spoiled]]] = {
    "car": (
        "config/cars/deepracer.yaml",
        {
            "wrong type": Spoiled("body.length", "wide"),
            "unknown key": Spoiled("steering.wings", 2),
            "NaN": Spoiled("axles.wheelbase", NAN),
            "out of range": Spoiled("drive.max_speed", -1.0),
            "infinite": Spoiled("drive.max_acceleration", float("inf")),
        },
    ),
    "training": (
        "config/training/quick.yaml",
        {
            "wrong type": Spoiled("teacher.cars", "many"),
            "unknown key": Spoiled("student.wings", 2),
            "NaN": Spoiled("task.rate_hz", NAN),
            "out of range": Spoiled("teacher.learning_rate", -1.0),
        },
    ),
    "track": (
        "worlds/oval/track.yaml",
        {
            "wrong type": Spoiled("rows", "round"),
            "unknown key": Spoiled("wings", 2),
            "NaN": Spoiled("rows.3", [NAN] * 6),
            "out of range": Spoiled("format", 99),
        },
    ),
    "randomization": (
        "config/randomization/mild.yaml",
        {
            "wrong type": Spoiled("look.road_grey", "dark"),
            "unknown key": Spoiled("look.wings", 2),
            "NaN": Spoiled("look.road_grey", NAN),
            "out of range": Spoiled("look.wear", {"chance": 2.0}),
        },
    ),
    "hand": (
        "config/hand.yaml",
        {
            "wrong type": Spoiled("joystick.arm", "A"),
            "unknown key": Spoiled("keyboard.wings", 2),
            "NaN": Spoiled("speed_step", NAN),
            "out of range": Spoiled("speed_limit", -1.0),
            "no pad": Spoiled("pads", [{"name": "Acme", "layouts": ["atari"]}]),
        },
    ),
    "suite": (
        "config/evaluation/perturbations.yaml",
        {
            "wrong type": Spoiled("rows", 3),
            "unknown key": Spoiled("wings", 2),
            "NaN": Spoiled("rows.friction_low.car.friction", NAN),
            "out of range": Spoiled("rows.friction_low.car.friction", {"uniform": [2.0, 1.0]}),
        },
    ),
}

# Who reads such a file: words of a command, or a node's name and its parameter.
VERBS: dict[str, list[str]] = {
    "car": [
        "train --car FILE --out OUT",
        "race POLICY --track oval --car FILE --out OUT",
        "demo --track oval --car FILE --out OUT",
        "evaluate line --track oval --trials 1 --car FILE",
        "compare line line --track oval --trials 1 --car FILE",
        "inspect POLICY --car FILE",
        "track line oval --car FILE --out OUT.png",
        "launch LAUNCH/drive.launch.xml policy:=POLICY car:=FILE",
        "drive --track oval --car FILE",
        "drive --car FILE",
        "calibrate steering --car FILE",
        "record --car FILE --out OUT",
    ],
    "training": ["train --config FILE --out OUT", "demo --track oval --preset FILE --out OUT"],
    "track": [
        "race POLICY --track FILE --out OUT",
        "demo --track FILE --out OUT",
        "evaluate line --track FILE --trials 1",
        "compare line line --track FILE --trials 1",
        "track show FILE --out OUT.png",
        "track line FILE --out OUT.png",
        "track world FILE --out OUT",
    ],
    "randomization": [
        "evaluate line --track oval --trials 1 --randomization FILE",
        "compare line line --track oval --trials 1 --randomization FILE",
        "randomization preview --randomization FILE --out OUT.png",
    ],
    "hand": [
        "drive --track oval --config FILE",
        "launch hand joystick:=true config:=FILE",
        "launch car car:=deepracer policy:=POLICY hand:=true config:=FILE",
    ],
    "suite": ["evaluate line --track oval --trials 1 --perturbations --suite FILE"],
}
NODES: dict[str, list[str]] = {
    "car": [
        "camera car:=FILE",
        "policy policy:=POLICY car:=FILE",
        "motor car:=FILE",
        "simulator car:=FILE",
        "gazebo_port car:=FILE",
        "referee car:=FILE output_dir:=OUT",
        "trainer car:=FILE out:=OUT",
        "viewer car:=FILE",
        "hand car:=FILE",
        "recorder car:=FILE out:=OUT",
    ],
    "training": ["trainer config:=FILE out:=OUT"],
    "track": ["simulator track:=FILE", "referee track:=FILE output_dir:=OUT", "viewer track:=FILE"],
    "hand": ["hand config:=FILE", "joystick config:=FILE"],
    "randomization": [],
    "suite": [],
}
CASES = [
    pytest.param(kind, how, words, id=f"{words.split(' ')[0]}-{kind}-{how}")
    for kind, (_, changes) in FILES.items()
    for number, words in enumerate([f"outlap {verb}" for verb in VERBS[kind]] + NODES[kind])
    for turn, how in enumerate([*changes, "empty"])
    # In short: of each kind of file, every kind of mistake, with one program after another.
    if FULL or (number == turn and number < len(VERBS[kind])) or (number, turn) == (len(VERBS[kind]), 0)
]


def spoiled(kind: str, how: str) -> tuple[str, str]:
    """The text of a malformed file, and the last part of the key that must be named."""
    source, changes = FILES[kind]
    if how == "empty":
        return "", ""
    content = yaml.safe_load((share_directory() / source).read_text())
    *parents, last = changes[how].key.split(".")
    place = content
    for parent in parents:
        place = place[parent]
    place[int(last) if isinstance(place, list) else last] = changes[how].value
    return yaml.safe_dump(content), changes[how].key


@pytest.mark.parametrize(("kind", "how", "words"), CASES)
def test_it_is_refused(
    kind: str,
    how: str,
    words: str,
    domain: Domain,
    constant_policy: Callable[..., Path],
    tmp_path: Path,
    measured: Measured,
) -> None:
    path, text = tmp_path / "spoiled.yaml", spoiled(kind, how)
    path.write_text(text[0])
    program, *arguments = words.split(" ")
    if program != "outlap":
        program, arguments = f"outlap_{program}", ["--ros-args", *(w for a in arguments for w in ("-p", a))]
    names = {"FILE": path, "POLICY": constant_policy(0.5, 1.0), "OUT": tmp_path / "out"}
    names["LAUNCH"] = share_directory() / "launch"
    arguments = [re.sub("|".join(names), lambda found: str(names[found[0]]), word) for word in arguments]
    environment = ros_environment(domain.id) | {"ROS_LOG_DIR": str(tmp_path)}
    if program == "outlap":
        del environment["ROS_DOMAIN_ID"]  # it claims one for itself
    recorder = Recorder(domain.id)
    try:
        # It does the same each time; what it takes longer for is the machine's.
        took = math.inf
        for _ in range(ATTEMPTS if FULL else 1):
            begun = time.monotonic()
            done = subprocess.run(
                [str(Path(sys.executable).with_name(program)), *arguments],
                capture_output=True,
                text=True,
                timeout=60,
                env=environment,
                cwd=tmp_path,
            )
            took = min(took, time.monotonic() - begun)
            if took <= LIMIT:
                break
        said = done.stdout + done.stderr
        assert done.returncode != 0
        assert "Traceback" not in said
        errors = " ".join(said.split())
        assert str(path) in errors.replace(" ", "") or str(path) in errors, said
        assert text[1].split(".")[-1] in errors, said
        assert not any(sent.speed for sent in recorder.history())
    finally:
        recorder.close()
    assert not (tmp_path / "out").exists() or not any((tmp_path / "out").iterdir())
    measured("time to refuse", took, limit=LIMIT)
