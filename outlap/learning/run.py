"""One training run: from nothing to a verified policy file in a folder of its own."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import yaml

from outlap import __version__
from outlap.errors import OutlapError
from outlap.files import write_atomic
from outlap.learning.config import TrainingConfig
from outlap.learning.distill import Distiller
from outlap.learning.eyes import Eyes
from outlap.learning.student import Student, export
from outlap.learning.task import DrivingTask
from outlap.learning.teacher import train_teacher
from outlap.policy.contract import Contract, Envelope
from outlap.policy.file import write_policy
from outlap.simulation.fleet import TICK
from outlap.track.generate import generate_track
from outlap.track.geometry import TrackSet
from outlap.vehicle.car import Car

TRANSPORT = 0.03  # s from a frame's exposure to its command that a live graph may add to the delays trained with


class Progress(NamedTuple):
    """How far a stage of training is."""

    stage: str  # "tracks", "teacher" or "student"
    done: int
    total: int
    measures: dict[str, float]


def train(
    config: TrainingConfig, car: Car, out: Path, seed: int, report: Callable[[Progress], None] | None = None
) -> Path:
    """Train a policy and write it, with the configuration that made it, into ``out``.

    Args:
        config: what to learn and how.
        car: the car that is to drive.
        out: folder for ``policy.onnx``, ``training.yaml`` and ``summary.json``; made where missing.
        seed: of everything random; same seed, same machine, same policy.
        report: called with each step of progress.

    Returns:
        The policy file's path.

    Raises:
        OutlapError: the car could not run such a policy, the folder cannot be written, or the learning diverged; no
            policy file is left half-written.
    """
    began = time.perf_counter()
    promise = contract(config, car, seed)
    promise.check_car(car, "a policy of this training file")  # now, not after minutes
    tell = report or (lambda progress: None)
    torch.manual_seed(seed)
    streams = [int(child.generate_state(1)[0]) for child in np.random.SeedSequence(seed).spawn(6)]
    tracks = _generate(config.tracks, streams[0], tell)

    task = DrivingTask(tracks, car, config.teacher.cars, config.task, streams[1], config.randomization)
    total = config.teacher.iterations
    teacher = train_teacher(
        task, config.teacher, lambda done, measures: tell(Progress("teacher", done + 1, total, measures))
    )

    task = DrivingTask(tracks, car, config.distill.cars, config.task, streams[2], config.randomization)
    eyes = Eyes(task.fleet, config.view, streams[3], config.randomization)
    student = Student(config.student, config.observation)
    distiller = Distiller(task, eyes, teacher, student, config.observation, config.distill, streams[4])
    steps = config.distill.steps + config.distill.final_batches // config.distill.batches
    distiller.run(lambda done, measures: tell(Progress("student", min(done + 1, steps), steps, measures)))
    if not all(bool(torch.isfinite(weights).all()) for weights in student.parameters()):
        raise OutlapError("the student's learning diverged: lower distill.learning_rate.")

    # Only now, so that a failed run leaves an earlier run's files as they were, all of one piece.
    write_atomic(out / "training.yaml", _as_yaml(config, car, seed))
    policy = out / "policy.onnx"
    digest = write_policy(policy, export(student, config.observation, config.task.action), promise)
    seconds = time.perf_counter() - began
    frames = distiller.shards.size
    summary = {
        "policy": policy.name,
        "digest": digest,
        "seed": seed,
        "car": car.name,
        "train_seconds": round(seconds, 2),
        "camera_frames": frames,
        "steps_per_s": round(frames / seconds, 1),
        "outlap": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
    }
    write_atomic(out / "summary.json", json.dumps(summary, indent=2) + "\n")
    return policy


def contract(config: TrainingConfig, car: Car, seed: int) -> Contract:
    """What the policy file promises and demands."""
    height, spread = config.view.camera_height, config.randomization.height_spread
    return Contract(
        observation=config.observation,
        action=config.task.action,
        rate_hz=config.task.rate_hz,
        envelope=Envelope(
            max_curvature=config.task.curvature_limit,
            max_speed=config.task.speed_limit,
            latency=(0.0, (config.task.ticks - 1) * TICK + TRANSPORT),
            # The warp corrects the ground for another height; beyond these it shows too little of it.
            camera_height=(height * (0.7 - spread), min(height * (1.7 + spread), 1.0)),
        ),
        car=car.name,
        recipe=config.recipe,
        seed=seed,
    )


def _generate(count: int, seed: int, tell: Callable[[Progress], None]) -> TrackSet:
    rng = np.random.default_rng(seed)
    tracks = []
    for index in range(count):
        tracks.append(generate_track(rng, name=f"generated-{index}"))
        tell(Progress("tracks", index + 1, count, {}))
    return TrackSet(tracks)


def _as_yaml(config: TrainingConfig, car: Car, seed: int) -> str:
    """The full configuration of a run; its training part can be given to ``outlap train --config`` again."""
    content = config.model_dump(mode="json")
    heading = f"# What made the policy beside this file: outlap {__version__}, car {car.name}, seed {seed}.\n"
    return heading + yaml.safe_dump(content, sort_keys=False)
