"""Rewards from a user's file: both forms, what it may return, what it prints, and how its mistakes are told."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from tiny_learning import TASK

from outlap.cage.bubblewrap import why_unavailable
from outlap.cage.cage import Cage
from outlap.driving.reward.reward import Moment, Scaled, progress
from outlap.driving.reward.reward_process import LOG_LIMIT, pack, unpack
from outlap.driving.reward.user_reward import OWN, UserReward, keep_copy, opened_reward
from outlap.driving.task import DrivingTask
from outlap.errors import OutlapError
from outlap.simulation.randomization import OFF
from outlap.track.geometry import TrackSet
from outlap.track.track import Track
from outlap.vehicle.car import Car

CARS = 4


@pytest.fixture(scope="module")
def tracks(ring: Track) -> TrackSet:
    return TrackSet([ring])


@pytest.fixture
def moment(tracks: TrackSet, car: Car) -> Moment:
    seen: list[Moment] = []

    def watch(moment: Moment) -> np.ndarray:
        seen.append(moment)
        return progress(moment, TASK)

    DrivingTask(tracks, car, CARS, TASK, 1, OFF, watch).step(np.zeros((CARS, 2)))
    return seen[0]


@pytest.fixture(params=["a process", "the cage"])
def cage(request: pytest.FixtureRequest) -> Cage:
    """Where a reward file runs; it is to make no difference."""
    if request.param == "the cage":
        if why_unavailable() is not None:
            pytest.skip(str(why_unavailable()))
        return Cage()
    return OWN


@pytest.fixture
def run(
    tracks: TrackSet, car: Car, moment: Moment, reward_file: Callable[[str], Path], cage: Cage
) -> Callable[[str], np.ndarray | str]:
    """``run(code)``: the rewards of one step by a file with that code, or what is said of it."""

    def rewards(code: str) -> np.ndarray | str:
        path = reward_file(code)
        try:
            with closing(UserReward(path, tracks, car, CARS, 0, cage=cage)) as reward:
                return reward(moment)
        except OutlapError as error:
            said = str(error)
            assert said.endswith(".")
            assert "\n" not in said
            return said.replace(str(path), "FILE")

    return rewards


Run = Callable[[str], np.ndarray | str]
RunSteps = Callable[..., np.ndarray]


@pytest.fixture
def run_steps(ring: Track, car: Car, moment: Moment, reward_file: Callable[[str], Path], cage: Cage) -> RunSteps:
    """``run_steps(code, {"beside.py": code}, steps=3, on=[[0, 1, 0, 0], …])``: rewards (steps, n), on these tracks."""

    def rewards(code: str, beside: dict[str, str], steps: int, on: list[list[int]] | None = None) -> np.ndarray:
        path = reward_file(code)
        for name, text in beside.items():
            (path.parent / name).write_text(text)
        tracks = TrackSet([ring, ring.reversed()])
        with closing(UserReward(path, tracks, car, CARS, 0, cage=cage)) as reward:
            each = []
            for step in range(steps):
                track = moment.track if on is None else np.array(on[step])
                now = dataclasses.replace(moment, steps=np.full(CARS, step + 1), track=track)
                each.append(reward(now))
            return np.array(each)

    return rewards


def test_a_moment_survives_its_way_to_the_other_process(moment: Moment) -> None:
    again = unpack(pack(moment), CARS)
    for field in dataclasses.fields(Moment):
        sent, got = getattr(moment, field.name), getattr(again, field.name)
        np.testing.assert_array_equal(sent, got, field.name)
        assert sent.dtype == got.dtype, field.name


def test_the_built_in_reward_needs_no_process(tracks: TrackSet, car: Car, moment: Moment) -> None:
    with opened_reward("progress", TASK, tracks, car, CARS, 0, 0.98) as reward:
        np.testing.assert_array_equal(reward(moment), progress(moment, TASK))


def test_the_vectorised_form_gets_arrays(run: Run, moment: Moment) -> None:
    code = """
        import numpy as np
        def reward(moment):
            assert moment.off_road.dtype == bool and moment.steps.dtype == int and moment.x.shape == (4,)
            return moment.gained * 30 / 2.0 - np.where(moment.off_road, 5.0, 0.0)
        """
    np.testing.assert_allclose(run(code), moment.gained * 15 - 5 * moment.off_road)


def test_any_one_number_is_a_reward(run_steps: RunSteps) -> None:
    code = """
        import numpy as np
        values = [2, True, np.float32(0.5), np.array(1.5)]
        def reward_function(params):
            return values.pop(0)
        """
    np.testing.assert_array_equal(run_steps(code, {}, steps=4)[:, 0], [2, 1, 0.5, 1.5])


def test_what_a_file_keeps_is_each_cars_own(run_steps: RunSteps) -> None:
    """Globals, class attributes, a class's instance, and modules beside the file."""
    code = """
        import notes
        from dataclasses import dataclass, field
        @dataclass
        class Memory:
            seen: list = field(default_factory=list)
            calls = 0
        memory, count = Memory(), 0
        def reward_function(params):
            global count
            import later
            count += 1
            Memory.calls += 1
            memory.seen.append(params['steps'])
            notes.seen.append(params['steps'])
            later.seen.append(params['steps'])
            assert memory.seen == notes.seen == later.seen == list(range(1, count + 1)), memory.seen
            assert Memory.calls == count
            return count
        """
    beside = {"notes.py": "seen = []\n", "later.py": "seen = []\n"}
    np.testing.assert_array_equal(run_steps(code, beside, steps=3), [[1] * CARS, [2] * CARS, [3] * CARS])


def test_it_begins_anew_when_a_car_is_put_on_another_track(run_steps: RunSteps) -> None:
    code = """
        smooth = None
        calls = 0
        def reward_function(params):
            global smooth, calls
            if smooth is None:
                smooth = list(params['waypoints'])
            assert smooth == params['waypoints']
            calls += 1
            return calls
        """
    tracks = [[0] * CARS, [0] * CARS, [1, 0, 0, 1], [1, 0, 0, 0]]
    expected = [[1] * CARS, [2] * CARS, [1, 3, 3, 1], [2, 4, 4, 1]]
    np.testing.assert_array_equal(run_steps(code, {}, steps=4, on=tracks), expected)


def test_the_libraries_that_deepracer_offers_can_be_imported(run: Run) -> None:
    code = """
        import math, random, numpy, scipy, shapely
        from shapely.geometry import LineString, Point
        def reward_function(params):
            return LineString(params['waypoints']).distance(Point(params['x'], params['y'])) + 1
        """
    assert (np.asarray(run(code)) >= 1).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "said"),
    [
        (
            "def reward_function(params):\n    x = 1\n    return x / params['sped']\n",
            "FILE, line 3: KeyError: 'sped' in `return x / params['sped']`.",
        ),
        (
            "import numpy as np\ndef reward_function(params):\n    return np.linalg.inv(np.zeros((2, 2)))[0, 0]\n",
            "FILE, line 3: LinAlgError: Singular matrix in `return np.linalg.inv(np.zeros((2, 2)))[0, 0]`.",
        ),
        (
            "import sys\ndef reward_function(params):\n    sys.exit('enough')\n",
            "FILE, line 3: SystemExit: enough in `sys.exit('enough')`.",
        ),
        (
            "def reward_function(params):\n    if params['x'] > 1e9:\n        return 1.0\n",
            "FILE: reward_function returned None, which is not one number: return a float on every way out.",
        ),
        (
            "def reward_function(params):\n    return '1'\n",
            "FILE: reward_function returned str '1', which is not one number: return a float on every way out.",
        ),
        (
            "import numpy as np\ndef reward_function(params):\n    return np.ones(3)\n",
            "FILE: reward_function returned an array of shape (3,), which is not one number: return a float on every",
        ),
        ("def reward_function(params):\n    return float('nan')\n", "FILE: reward_function returned nan for progress "),
        ("def reward_function(params):\n    return -1e300\n", "FILE: reward_function returned -1e+300 for progress "),
        ("def reward_function(params):\n    return 10 ** 400\n", "FILE: reward_function returned int 1000"),
        ("def reward_function(params):\n    return 1.0 +\n", "FILE, line 2: SyntaxError: invalid syntax in `return"),
        (
            "import no_such_library\ndef reward_function(params):\n    return 1.0\n",
            "FILE, line 1: ModuleNotFoundError: No module named 'no_such_library' in `import no_such_library`.",
        ),
        ("x = 1 / 0\n", "FILE, line 1: ZeroDivisionError: division by zero in `x = 1 / 0`."),
        ("", "FILE has neither a function reward_function(params) nor a function reward(moment): add one."),
        (
            "def reward(moment):\n    return 1.0\n",
            "FILE: reward returned float 1.0: return an array of shape (4,), a number a car.",
        ),
        (
            "import numpy as np\ndef reward(moment):\n    r = np.ones(4)\n    r[2] = np.inf\n    return r\n",
            "FILE: reward returned inf for travelled ",
        ),
        ("def reward(moment):\n    return moment.sped\n", "FILE, line 2: AttributeError: 'Moment' object has no"),
        ("import os\ndef reward_function(params):\n    os._exit(3)\n", "FILE: rewarding 4 cars ended the reward"),
        ("import ctypes\ndef reward_function(params):\n    ctypes.string_at(0)\n", "FILE, line 3: rewarding 4"),
    ],
)
def test_a_mistake_is_told_in_one_sentence_with_its_line(run: Run, code: str, said: str) -> None:
    found = run(code)
    assert isinstance(found, str)
    assert found.startswith(said)


def test_a_missing_file_is_told(tracks: TrackSet, car: Car, tmp_path: Path) -> None:
    with pytest.raises(OutlapError, match="there is no such reward file"):
        UserReward(tmp_path / "none.py", tracks, car, CARS, 0)


def test_prints_go_to_the_log_and_nowhere_else(
    tracks: TrackSet,
    car: Car,
    moment: Moment,
    reward_file: Callable[[str], Path],
    cage: Cage,
    capfd: pytest.CaptureFixture[str],
) -> None:
    path = reward_file("""
        import os, sys
        def reward_function(params):
            print('at', params['steps'])
            print('x' * 500_000, file=sys.stderr)
            os.write(1, b'raw')
            return input() if False else 1.0
        """)
    log = path.with_name("reward.log")
    with closing(UserReward(path, tracks, car, CARS, 0, log, cage)) as reward:
        np.testing.assert_array_equal(reward(moment), np.ones(CARS))
    assert log.read_text().startswith("at 1\nxxx")
    assert log.stat().st_size <= LOG_LIMIT
    assert capfd.readouterr() == ("", "")


def test_it_may_import_its_neighbours_and_the_same_seed_gives_the_same_numbers(
    run: Run, reward_file: Callable[[str], Path]
) -> None:
    code = """
        import random
        import numpy as np
        from line_of_mine import BEST
        def reward_function(params):
            return BEST + random.random() + np.random.rand() + len(next(iter({'a', 'bb', 'ccc'})))
        """
    reward_file("").with_name("line_of_mine.py").write_text("BEST = 7.0\n")
    first, second = run(code), run(code)
    assert isinstance(first, np.ndarray)
    assert len(set(first)) == CARS
    np.testing.assert_array_equal(first, second)


def test_the_process_ends_with_its_context(
    tracks: TrackSet, car: Car, moment: Moment, reward_file: Callable[[str], Path], cage: Cage
) -> None:
    path = reward_file("def reward_function(params):\n    return 1.0\n")
    with closing(UserReward(path, tracks, car, CARS, 0, cage=cage)) as reward:
        number = reward._program.pid
        os.kill(number, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)
    with pytest.raises(OutlapError, match="has ended"):
        reward(moment)


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e4])
def test_rewards_of_any_size_are_scaled_alike(moment: Moment, size: float) -> None:
    rng = np.random.default_rng(0)
    scaled = Scaled(lambda moment: size * rng.uniform(0, 1, CARS), CARS, 0.9)
    first = [scaled(dataclasses.replace(moment, steps=np.full(CARS, step))) for step in range(1, 200)]
    later = np.stack(first[100:])
    assert later.mean() == pytest.approx(0.1, rel=0.2)  # sums of ten steps are worth about 1
    again = Scaled(lambda moment: np.full(CARS, size), CARS, 0.9)
    again.load(scaled.state())
    here = dataclasses.replace(moment, steps=np.full(CARS, 200))
    np.testing.assert_array_equal(again(here), size / np.sqrt(again.state()["mean_square"]))


def test_one_odd_step_is_bounded_and_no_reward_at_all_is_no_fault(moment: Moment) -> None:
    rewards = iter([0.0, 0.0, 1e5])
    scaled = Scaled(lambda moment: np.full(CARS, next(rewards)), CARS, 0.9)
    assert [float(np.abs(scaled(moment)).max()) for _ in range(3)] == [0, 0, pytest.approx(3**0.5)]


def test_a_user_file_is_scaled_and_the_built_in_reward_is_not(
    tracks: TrackSet, car: Car, moment: Moment, reward_file: Callable[[str], Path]
) -> None:
    path = reward_file("def reward_function(params):\n    return 700.0\n")
    with opened_reward(str(path), TASK, tracks, car, CARS, 0, 0.98) as reward:
        np.testing.assert_allclose(reward(moment), np.ones(CARS))


def test_a_run_keeps_a_copy_and_goes_on_with_the_same_file_only(
    reward_file: Callable[[str], Path], tmp_path: Path
) -> None:
    path, copy = reward_file("x = 1\n"), tmp_path / "run" / "reward.py"
    keep_copy("progress", copy, resuming=True)
    keep_copy(str(path), copy, resuming=False)
    assert copy.read_text() == "x = 1\n"
    keep_copy(str(path), copy, resuming=True)
    path.write_text("x = 2\n")
    with pytest.raises(OutlapError, match="was changed since the run in"):
        keep_copy(str(path), copy, resuming=True)
    assert copy.read_text() == "x = 1\n"
