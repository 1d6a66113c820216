"""The keys of a checkpoint are pinned: other keys are another format, under which no run of before goes on."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_lesson import given, teach
from test_pixels import content as pixels_content

from outlap.files import share_directory
from outlap.learning.config import AnyTraining, PixelTrainingConfig, TrainingConfig
from outlap.learning.live.lesson import Lesson
from outlap.learning.runs.checkpoint import FORMAT, load_checkpoint
from outlap.learning.runs.folder import RunFolder
from outlap.learning.runs.run import Progress, train
from outlap.states import State
from outlap.track.track import Track
from outlap.vehicle.car import Car

NETWORKS = ("student", "teacher", "actor", "critic", "optimizer")  # whose keys are PyTorch's and the configuration's


def inside(prefix: str, keys: dict[str, str]) -> dict[str, str]:
    return {f"{prefix}/{key}": kind for key, kind in keys.items()}


# What format 2 holds: keys, and of what kind each is. Where you have to change this, raise FORMAT, too, and say in
# docs/training.md what becomes of the runs of before. Other names for the attributes behind the keys
# change nothing here.
FLEET = {
    "track": "int64[1]",
    "dynamics": "float64[2]",
    "parameters": "float64[2]",
    "delay": "int64[1]",
    "jitter": "int64[1]",
    "jitter_phase": "float64[1]",
    "trim": "float64[1]",
    "backlash": "float64[1]",
    "linkage": "float64[1]",
    "command": "float64[2]",
    **{f"located/{name}": "float64[1]" for name in ("s", "offset", "heading", "curvature", "left", "right")},
}
LAPS = {
    **dict.fromkeys(("length", "progress", "s", "began", "mark_time", "mark"), "float64[1]"),
    **dict.fromkeys(("laps", "off_track", "put_back"), "int64[1]"),
    "off": "bool[1]",
}
TASK = {
    **inside("fleet", FLEET),
    "rng": "random stream",
    "age": "int64[1]",
    "last_action": "float64[2]",
    "episode_steps": "int64[1]",
    **inside("laps", LAPS),
    "total_steps": "int",
}
REWARD = {"sums": "float64[1]", "mean_square": "float", "count": "int"}  # of a task with a reward of the user's own
STORE = {"before": "random stream", "next": "int", "drawn": "bool"}
EYES = {
    "rng": "random stream",
    "grain_rng": "random stream",
    **inside("new_looks", STORE),
    **inside("new_optics", STORE),
    "looks/scalars": "record[1]",
    "looks/colours": "float32[3]",
    "looks/boxes": "float32[3]",
    "looks/box_colours": "float32[3]",
    "optics": "record[1]",
    "gain": "float32[1]",
    "streams/place": "uint64[1]",
    "age": "int64[1]",
    "newest": "int",
    "latest": "uint8[4]",
    "shown": "uint8[3]",
}
PPO = {"iteration": "int", "learning_rate": "float", "actor": "weights", "critic": "weights", "optimizer": "weights"}
TEACHER = {**PPO, **inside("task", TASK), **inside("task/reward", REWARD)}
SHARDS = {"steps": "int", "shards": "list"}
STUDENT = {
    "iteration": "int",
    "batches": "int",
    **inside("task", TASK),
    **inside("eyes", EYES),
    **inside("training", TEACHER),
    "student": "weights",
    "optimizer": "weights",
    "rng": "random stream",
    "commands": "float32[3]",
    "age": "int64[1]",
    **inside("shards", SHARDS),
}
PIXELS = {
    **PPO,
    **inside("env/task", TASK),
    **inside("env/eyes", EYES),
    "env/rng": "random stream",
    "env/commands": "float32[3]",
    "env/pictures": "uint8[4]",
}
BEGUN = {"stage": "str", "seconds": "float"}
RUN = {**BEGUN, "begun": "times", "first_clean": "any", "best": "any", "curves/rows": "list", "torch": "uint8[1]"}
FORMATS = {
    2: {
        "distill, begun": BEGUN,
        "distill, teacher": {**RUN, **inside("teacher", TEACHER)},
        "distill, student": {**RUN, **inside("student", STUDENT)},
        "distill, end": {"stage": "str", "student": "weights", "teacher": "weights"},
        "ppo, begun": BEGUN,
        "ppo, student": {**RUN, **inside("student", PIXELS)},
        "ppo, end": {"stage": "str", "student": "weights"},
        "lesson": {
            "driven": "int",
            "batches": "int",
            "best": "float",
            "outcomes": "list",
            "student": "weights",
            "optimizer": "weights",
            **inside("shards", SHARDS),
        },
    }
}
# Classes that have a state.
STATEFUL = {
    *(
        "Curves",
        "Distiller",
        "DrivingTask",
        "Eyes",
        "Fleet",
        "LapCounter",
        "Located",
        "Looks",
        "PixelEnv",
        "PixelTraining",
    ),
    *("Scaled", "Shards", "Streams", "Teacher", "TeacherTraining", "_Store"),
    "Stage",  # the protocol
}


def kinds(state: State, path: str = "") -> dict[str, str]:
    """Each key's path, and the kind of its value."""
    found: dict[str, str] = {}
    for key, value in state.items():
        at = f"{path}{key}"
        if key in NETWORKS and all(name.isdigit() or "." in name for name in value):
            found[at] = "weights"
        elif key in ("first_clean", "best") and not isinstance(value, float):
            found[at] = "any"  # None for now, say
        elif key == "begun":
            found[at] = "times"
        elif isinstance(value, dict):
            found |= {at: "random stream"} if "bit_generator" in value else kinds(value, f"{at}/")
        elif isinstance(value, np.ndarray):
            found[at] = f"{'record' if value.dtype.names else value.dtype}[{value.ndim}]"
        else:
            found[at] = type(value).__name__
    return found


def stages_of(config: AnyTraining, car: Car, out: Path) -> dict[str, dict[str, str]]:
    """Train, and see after each iteration what the checkpoint holds."""
    found: dict[str, dict[str, str]] = {}

    def look(progress: Progress | None) -> None:
        held = load_checkpoint(RunFolder(out).checkpoint_folder)
        assert held is not None
        found[f"{config.recipe}, {held.state['stage'] or 'begun'}"] = kinds(held.state)

    train(config, car, out, 3, look)
    look(None)
    return found


@pytest.mark.slow
def test_the_keys_of_every_checkpoint_are_those_of_its_format(
    tiny: Callable[..., dict[str, Any]],
    reward_file: Callable[[str], Path],
    ring: Track,
    car: Car,
    tmp_path: Path,
) -> None:
    own = reward_file("def reward_function(params):\n    return 1.0\n")
    found = stages_of(TrainingConfig.model_validate(tiny(reward=str(own))), car, tmp_path / "run")
    found |= stages_of(PixelTrainingConfig.model_validate(pixels_content()), car, tmp_path / "pixels")
    lesson = Lesson(tmp_path / "run", ring, car, given())
    teach(lesson)
    lesson.run()
    held = load_checkpoint(lesson.folder.checkpoint_folder)
    assert held is not None
    found["lesson"] = kinds(held.state)
    assert set(found) == set(FORMATS[FORMAT])
    for stage, keys in FORMATS[FORMAT].items():
        assert found[stage] == keys, f"{stage}: raise FORMAT when what a checkpoint holds changes"


def test_every_class_with_a_state_is_known_here() -> None:
    found = set()
    for path in (share_directory() / "outlap").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                methods = {each.name for each in node.body if isinstance(each, ast.FunctionDef)}
                named = [each.target for each in node.body if isinstance(each, ast.AnnAssign)]
                names = {target.id for target in named if isinstance(target, ast.Name)}
                if {"state", "load"} <= methods or "STATE" in names:
                    found.add(node.name)
    assert found == STATEFUL
