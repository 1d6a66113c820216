"""Camera steps per second of training, ours and Stable-Baselines3's: simulated, drawn, decided on and learned from.

Both drive the same cars on the same tracks and see the same pictures, drawn by Outlap under the same randomization, so
that only deciding and learning differ. Ours are the recipes as their presets say, the student driving from the first
step: `distill` (with the teacher learning beside it, as it does in a run) and `ppo`. The peer is what its users take:
PPO with CnnPolicy and the numbers that RL Zoo uses for pictures (4 epochs over 1,024 pictures in batches of 256), on a
vectorised environment, which costs it less than one process a car. The three are measured in turns. Beside camera
steps a second of wall clock, for which the machine should be idle, steps a second of a core's time are reported.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import time
import warnings
from statistics import median
from typing import Any

import numpy as np

from outlap.driving.task import DrivingTask
from outlap.errors import OutlapError
from outlap.learning.config import AnyTraining, PixelTrainingConfig, TrainingConfig, load_training
from outlap.learning.networks.student import Student
from outlap.learning.recipes.distill import Distiller
from outlap.learning.recipes.pixels import PixelTraining
from outlap.learning.recipes.stage import Stage
from outlap.learning.recipes.teacher import TeacherTraining
from outlap.simulation.cameras import Eyes
from outlap.track.generate import generate_track
from outlap.track.geometry import TrackSet
from outlap.vehicle.car import Car, load_car

PEER_CARS, PEER_STEPS, PEER_BATCH, PEER_EPOCHS = 32, 32, 256, 4  # RL Zoo's 8 × 128 for Atari, from more cars at once
SEED = 1


def world(config: AnyTraining, car: Car, tracks: TrackSet, n: int) -> tuple[DrivingTask, Eyes]:
    """``n`` cars and their cameras, as training makes them."""
    task = DrivingTask(tracks, car, n, config.task, SEED, config.randomization)
    return task, Eyes(task.fleet, config.view, SEED, config.randomization, config.task.rate_hz)


def distill(config: TrainingConfig, car: Car, tracks: TrackSet) -> Stage:
    """The recipe ``distill``, from the step on at which the student drives."""
    teacher = DrivingTask(tracks, car, config.teacher.cars, config.task, SEED, config.teacher.randomization)
    schedule = config.distill.model_copy(update={"teacher_steps": 0, "mixed_steps": 1})
    task, eyes = world(config, car, tracks, schedule.cars)
    student = Student(config.student, config.observation, task.table)
    training = TeacherTraining(teacher, config.teacher)
    return Distiller(task, eyes, training, student, config.observation, schedule, SEED)


def ppo(config: PixelTrainingConfig, car: Car, tracks: TrackSet) -> Stage:
    """The recipe ``ppo``."""
    task, eyes = world(config, car, tracks, config.ppo.cars)
    student = Student(config.student, config.observation, task.table)
    return PixelTraining(task, eyes, student, config.observation, config.ppo, SEED)


class Ours:
    """A recipe's stage."""

    def __init__(self, name: str, stage: Stage) -> None:
        self.name, self._stage = name, stage
        stage.iterate(lambda: None)  # compiles, and fills what is empty at first

    def run(self, seconds: float) -> tuple[float, float]:
        """Camera steps per second of wall clock and of a core's time, measured for at least ``seconds`` s."""
        begin, used, frames = time.perf_counter(), time.process_time(), self._stage.frames
        while (past := time.perf_counter() - begin) < seconds:
            self._stage.iterate(lambda: None)
        steps = self._stage.frames - frames
        return steps / past, steps / (time.process_time() - used)


class Peer:
    """Stable-Baselines3's PPO on the same task, seen through the same cameras."""

    def __init__(self, config: AnyTraining, car: Car, tracks: TrackSet) -> None:
        try:
            sb3: Any = importlib.import_module("stable_baselines3")
        except ImportError as error:
            raise OutlapError(
                f"the peer cannot run ({error}): install it with `pip install 'outlap[bench]'`."
            ) from None
        self.name = f"stable-baselines3 {sb3.__version__} PPO CnnPolicy"
        frames = len(config.observation.frame_offsets)
        environment = _environment(*world(config, car, tracks, PEER_CARS))
        if frames > 1:
            environment = sb3.common.vec_env.VecFrameStack(environment, frames, channels_order="first")
        warnings.filterwarnings("ignore", category=UserWarning, module="stable_baselines3")
        self._model = sb3.PPO(
            "CnnPolicy",
            environment,
            n_steps=PEER_STEPS,
            batch_size=PEER_BATCH,
            n_epochs=PEER_EPOCHS,
            device="cpu",
            seed=SEED,
        )
        self._model.learn(PEER_CARS * PEER_STEPS)

    def run(self, seconds: float) -> tuple[float, float]:
        """Camera steps per second of wall clock and of a core's time, measured for at least ``seconds`` s."""
        importlib.import_module("torch").set_num_threads(len(os.sched_getaffinity(0)))  # as it finds it by itself
        begin, used, steps = time.perf_counter(), time.process_time(), 0
        while (past := time.perf_counter() - begin) < seconds:
            self._model.learn(PEER_CARS * PEER_STEPS, reset_num_timesteps=False)
            steps += PEER_CARS * PEER_STEPS
        return steps / past, steps / (time.process_time() - used)


def _environment(task: DrivingTask, eyes: Eyes) -> Any:
    """The task as a vectorised environment of Stable-Baselines3."""
    spaces: Any = importlib.import_module("gymnasium").spaces
    base: Any = importlib.import_module("stable_baselines3.common.vec_env").VecEnv
    view, n = eyes.view, task.fleet.n

    class Environment(base):
        def __init__(self) -> None:
            pictures = spaces.Box(0, 255, (1, view.height, view.width), np.uint8)
            super().__init__(n, pictures, spaces.Box(-1, 1, (2,), np.float32))

        def reset(self) -> Any:
            return eyes.look()[:, None]

        def step_async(self, actions: Any) -> None:
            self._actions = actions

        def step_wait(self) -> Any:
            reward, done, timed_out = task.step(self._actions.astype(np.float64))
            rows = np.flatnonzero(done)
            infos: list[dict[str, Any]] = [{} for _ in range(n)]
            last = eyes.look()[:, None] if len(rows) else None
            for row in rows:
                assert last is not None
                infos[row] = {"terminal_observation": last[row], "TimeLimit.truncated": bool(timed_out[row])}
            if len(rows):
                task.reset(rows)
                eyes.reset(rows)
            return eyes.look()[:, None], reward.astype(np.float32), done, infos

        def close(self) -> None: ...

        def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
            return [None] * n

        def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None: ...

        def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
            return [None] * n

        def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
            return [False] * n

    return Environment()


def main() -> None:
    """Measure all in turns, print each turn, and end with one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--tracks", type=int, default=16, help="generated tracks to drive on")
    parser.add_argument("--turns", type=int, default=3, help="turns of each side; medians are reported")
    parser.add_argument("--seconds", type=float, default=6.0, help="that one side is measured before the next")
    options = parser.parse_args()
    car, rng = load_car(), np.random.default_rng(SEED)
    tracks = TrackSet([generate_track(rng) for _ in range(options.tracks)])
    taught, tried = load_training("quick", car), load_training("ppo", car)
    assert isinstance(taught, TrainingConfig) and isinstance(tried, PixelTrainingConfig)
    peer = Peer(taught, car, tracks)
    sides = [Ours("distill", distill(taught, car, tracks)), Ours("ppo", ppo(tried, car, tracks)), peer]
    rates: list[list[tuple[float, float]]] = []
    for turn in range(options.turns):
        rates.append([side.run(options.seconds) for side in sides])
        said = ", ".join(f"{side.name} {wall:,.0f}/s" for side, (wall, _) in zip(sides, rates[-1], strict=True))
        print(f"turn {turn + 1}: {said}", flush=True)
    found: dict[str, Any] = {"peer": peer.name}
    for k, unit in enumerate(("s", "core_s")):
        taught_rate, tried_rate, peer_rate = (median(rate[side][k] for rate in rates) for side in range(3))
        found[f"distill_per_{unit}"], found[f"ppo_per_{unit}"] = round(taught_rate, 1), round(tried_rate, 1)
        found[f"peer_per_{unit}"], found[f"ratio_by_{unit}"] = round(peer_rate, 1), round(taught_rate / peer_rate, 1)
        found[f"ppo_ratio_by_{unit}"] = round(tried_rate / peer_rate, 1)
    print(json.dumps(found))


if __name__ == "__main__":
    try:
        main()
    except OutlapError as error:
        sys.exit(f"error: {error}")
