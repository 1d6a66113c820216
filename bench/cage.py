"""What the cage costs: a user's reward file in it, and in an ordinary process as for a file of one's own.

Both run the same file in turns in one run: how long it takes until the reward is ready, and then one step's rewards of
all cars, by ``reward(moment)``, whose own work is next to nothing, so that what is measured is the way there and back.
The peer is the ordinary process. The JSON line has of starts and steps the time that the quickest tenth stays below, to
which other work on the machine adds least; medians and spreads are printed before.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import numpy as np

from outlap.cage.bubblewrap import why_unavailable
from outlap.cage.cage import Cage
from outlap.driving.reward.reward import Moment
from outlap.driving.reward.user_reward import OWN, UserReward
from outlap.driving.task import DrivingTask
from outlap.errors import OutlapError
from outlap.learning.config import load_training
from outlap.simulation.randomization import OFF
from outlap.track.generate import generate_track
from outlap.track.geometry import TrackSet
from outlap.vehicle.car import load_car

FILES = {
    "moment": "def reward(moment):\n    return moment.gained\n",
    "params": "def reward_function(params):\n    return params['speed']\n",
}


def main() -> None:
    """Take the turns, and end with one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--cars", type=int, default=512)
    parser.add_argument("--turns", type=int, default=10, help="starts of each")
    parser.add_argument("--steps", type=int, default=300, help="a turn")
    options = parser.parse_args()
    why = why_unavailable()
    if why is not None:
        print(f"nothing measured: {why}")
        return
    car, n = load_car(), options.cars
    tracks = TrackSet([generate_track(np.random.default_rng(seed), name=f"generated-{seed}") for seed in range(4)])
    moment = _moment(tracks, n)
    places = {"peer": OWN, "cage": Cage()}
    result: dict[str, object] = {"cars": n, "peer": "an ordinary process"}
    with tempfile.TemporaryDirectory() as folder:
        for form, code in FILES.items():
            path = Path(folder, f"{form}.py")
            path.write_text(code)
            starts: dict[str, list[float]] = {name: [] for name in places}
            steps: dict[str, list[float]] = {name: [] for name in places}
            for turn in range(-1, options.turns):  # the first one warms up
                for name, place in places.items():
                    begin = time.perf_counter()
                    with closing(UserReward(path, tracks, car, n, 0, cage=place)) as reward:
                        marks = [time.perf_counter()]
                        for _ in range(options.steps):
                            reward(moment)
                            marks.append(time.perf_counter())
                    if turn >= 0:
                        starts[name].append(marks[0] - begin)
                        steps[name] += list(1000 * np.diff(marks))
            quick = {}
            for name in places:
                start, step = np.array(starts[name]), np.array(steps[name])
                quick[name] = np.percentile(start, 10), np.percentile(step, 10)
                print(
                    f"{form}, {name}: start {np.median(start):.2f} s ({start.min():.2f} to {start.max():.2f}), step "
                    f"{np.median(step):.3f} ms (a tenth took under {quick[name][1]:.3f}, a tenth over "
                    f"{np.percentile(step, 90):.3f})"
                )
                result |= {
                    f"{form}_{name}_start_s": round(quick[name][0], 3),
                    f"{form}_{name}_step_ms": round(quick[name][1], 3),
                }
            start_ratio, ratio = (cage / peer for cage, peer in zip(quick["cage"], quick["peer"], strict=True))
            result |= {f"{form}_start_ratio": round(start_ratio, 2), f"{form}_ratio": round(ratio, 2)}
    result["ratio"] = result["moment_ratio"]
    print(json.dumps(result))


def _moment(tracks: TrackSet, n: int) -> Moment:
    """A step that all cars have taken."""
    seen: list[Moment] = []

    def watch(moment: Moment) -> np.ndarray:
        seen.append(moment)
        return np.zeros(n)

    car = load_car()
    task = load_training("quick", car).task
    DrivingTask(tracks, car, n, task, 1, OFF, watch).step(np.zeros((n, 2)))
    return seen[0]


if __name__ == "__main__":
    try:
        main()
    except OutlapError as error:
        sys.exit(f"error: {error}")
