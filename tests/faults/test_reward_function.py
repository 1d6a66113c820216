"""Row 19 of the fault table: the user's reward function raises, returns NaN, or never returns."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fault_figures import FULL, Measured
from tiny_learning import PPO, TASK

from outlap.driving.reward import user_reward
from outlap.driving.reward.user_reward import UserReward, opened_reward
from outlap.driving.task import DrivingTask
from outlap.errors import OutlapError
from outlap.learning.recipes.teacher import TeacherTraining
from outlap.simulation.randomization import OFF
from outlap.track.geometry import TrackSet
from outlap.track.track import Track
from outlap.vehicle.car import Car

# In the third iteration, when something has been learned already; each car counts its own calls.
LATER = """import time; calls = 0
def reward_function(params):
    global calls
    calls += 1; calls == 12 and open(__file__ + ".since", "w").write(str(time.monotonic()))
    if calls < 12:
        return 1.0
"""
RAISES = LATER + "    return params['no such']\n"
NOT_A_NUMBER = LATER + "    return float('nan')\n"
LOOPS = LATER + "    while True:\n        pass\n"
CATCHES_ALL = f"""{LATER}
    while True:
        try:
            x = sum(range(1000))
        except BaseException:
            pass
"""
SLEEPS = "import time\n" + LATER + "    time.sleep(1e6)\n"
HOLDS_THE_LOCK = LATER + "    return sum(range(10**12))\n"  # in C, where no signal handler of Python's gets its turn


def train(ring: Track, car: Car, path: Path) -> tuple[str, int, dict[str, Any]]:
    """What is said as training ends, after how many iterations, and the weights by then."""
    tracks = TrackSet([ring])
    with opened_reward(str(path), TASK, tracks, car, PPO.cars, 0, PPO.discount) as reward:
        training = TeacherTraining(DrivingTask(tracks, car, PPO.cars, TASK, 1, OFF, reward), PPO)
        with pytest.raises(OutlapError) as caught:
            for _ in range(PPO.iterations):
                training.iterate()
        return str(caught.value), training.iteration, training.state()


def finite(state: Any) -> bool:
    """Whether all numbers of a state are finite."""
    if isinstance(state, dict):
        return all(finite(value) for value in state.values())
    if isinstance(state, list | tuple):
        return all(finite(value) for value in state)
    if isinstance(state, torch.Tensor | np.ndarray | float):
        return bool(np.isfinite(np.asarray(state)).all())
    return True


@pytest.mark.fault(19)
@pytest.mark.parametrize(
    ("code", "line", "said"),
    [
        (RAISES, 7, "KeyError: 'no such' in `return params['no such']`."),
        (NOT_A_NUMBER, None, "returned nan for progress"),
    ],
    ids=["raises", "returns NaN"],
)
def test_it_raises_or_returns_nan(
    code: str, line: int | None, said: str, ring: Track, car: Car, reward_file: Callable[[str], Path]
) -> None:
    path = reward_file(code)
    told, iterations, state = train(ring, car, path)
    assert told.startswith(f"{path}, line {line}: " if line else f"{path}: ")
    assert said in told
    assert iterations == 2  # caught in its very step
    assert finite(state)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorter times, for faster tests; at full length they are what they are."""
    assert user_reward.LIMIT + user_reward.GRACE < 5  # the row's
    if not FULL:
        monkeypatch.setattr(user_reward, "LIMIT", 1.0)


@pytest.mark.slow
@pytest.mark.fault(19)
@pytest.mark.usefixtures("impatient")
def test_it_never_returns(ring: Track, car: Car, tmp_path: Path, measured: Measured) -> None:
    """In threads of their own, as a ROS node trains: no signal reaches those."""
    cases = {
        "loops": (LOOPS, (7, 8), ("while True:", "pass")),
        "catches_all": (CATCHES_ALL, (8, 9, 10), ("while True:", "try:", "x = sum(range(1000))")),
        "sleeps": (SLEEPS, (8,), ("time.sleep(1e6)",)),
        "holds_the_lock": (HOLDS_THE_LOCK, (7,), ("return sum(range(10**12))",)),
    }
    told: dict[str, tuple[str, int, dict[str, Any]]] = {}
    ended: dict[str, float] = {}  # steady s

    def work(name: str, path: Path) -> None:
        told[name] = train(ring, car, path)
        ended[name] = time.monotonic()

    threads = []
    for name, (code, _, _) in cases.items():
        path = tmp_path / f"{name}.py"
        path.write_text(code)
        threads.append(threading.Thread(target=work, args=(name, path)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name, (_, lines, sources) in cases.items():
        said, iterations, state = told[name]
        assert said in [
            f"{tmp_path / name}.py, line {line}: rewarding 4 cars took over {user_reward.LIMIT:g} s "
            f"and was ended at `{source}`."
            for line, source in zip(lines, sources, strict=True)
        ]
        assert iterations == 2
        assert finite(state)
    since = {name: float((tmp_path / f"{name}.py.since").read_text()) for name in cases}
    measured("stopped", max(ended[name] - since[name] for name in cases), limit=5.0, injections=len(cases))


@pytest.mark.slow
def test_its_file_never_finishes_importing(
    ring: Track, car: Car, reward_file: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(user_reward, "LOADING_LIMIT", 1.0)
    path = reward_file("import time\ntime.sleep(1e6)\n")
    said = r"line 2: importing it took over 1 s and was ended at `time.sleep\(1e6\)`\.$"
    with pytest.raises(OutlapError, match=said):
        UserReward(path, TrackSet([ring]), car, 4, 0)
