"""A stranger's reward file in the cage: the same rewards to the last bit, and whatever it does ends in one sentence."""

from __future__ import annotations

import os
import stat
import textwrap
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from tiny_learning import TASK

from outlap.cage.bubblewrap import why_unavailable
from outlap.cage.cage import Cage
from outlap.cage.limits import MIB, Limits
from outlap.driving.reward import user_reward
from outlap.driving.reward.reward_process import LOG_LIMIT
from outlap.driving.reward.user_reward import UserReward, opened_reward
from outlap.driving.task import DrivingTask
from outlap.errors import OutlapError
from outlap.simulation.randomization import OFF
from outlap.track.geometry import TrackSet
from outlap.track.track import Track
from outlap.vehicle.car import Car

CARS = 64
NUMBERS = """
import random
import numpy as np
rng = np.random.default_rng(1)
mixed = rng.normal(size=(64, 64))
def reward(moment):
    seen = np.stack([moment.x, moment.y, moment.gained, moment.speed])
    wide = np.tanh(mixed @ (mixed @ seen.T)).sum(axis=1)
    order = len(next(iter({"a", "bb", "ccc", "dddd"})))
    return wide + np.exp(moment.offset) + np.random.rand() + random.random() + order
"""
PARAMETERS = """
import math
def reward_function(params):
    bend = math.atan2(*params["waypoints"][params["closest_waypoints"][1]])
    return math.sin(params["heading"]) * params["speed"] + bend ** 3 + params["progress"] / 7
"""


@pytest.fixture(scope="module")
def cage() -> Cage:
    why = why_unavailable()
    if why is not None:
        pytest.skip(why)
    return Cage(Limits(memory_bytes=512 * MIB))


@pytest.fixture(scope="module")
def tracks(ring: Track) -> TrackSet:
    return TrackSet([ring])


@pytest.fixture
def said(tracks: TrackSet, car: Car, cage: Cage, reward_file: Callable[[str], Path]) -> Callable[[str], str]:
    """What is said of a file with this code, at its first step."""

    def of(code: str) -> str:
        path = reward_file(code)
        with pytest.raises(OutlapError) as caught, closing(UserReward(path, tracks, car, CARS, 0, cage=cage)) as reward:
            _drive(tracks, car, reward, 1)
        sentence = str(caught.value)
        assert sentence.endswith(".")
        assert sentence.isprintable()
        return sentence.replace(str(path), "FILE")

    return of


Said = Callable[[str], str]


def _drive(tracks: TrackSet, car: Car, reward: Callable, steps: int) -> np.ndarray:
    task = DrivingTask(tracks, car, CARS, TASK, 1, OFF, reward)
    actions = np.random.default_rng(3).uniform(-1, 1, (steps, CARS, 2))
    return np.stack([task.step(action)[0] for action in actions])


@pytest.mark.parametrize("code", [NUMBERS, PARAMETERS], ids=["moment", "params"])
def test_the_rewards_are_the_same_to_the_last_bit(
    tracks: TrackSet, car: Car, cage: Cage, reward_file: Callable[[str], Path], code: str
) -> None:
    path = reward_file(code)
    found = []
    for place in (user_reward.OWN, cage):
        with opened_reward(str(path), TASK, tracks, car, CARS, 5, 0.98, cage=place) as reward:
            found.append(_drive(tracks, car, reward, 40))
    assert found[0].tobytes() == found[1].tobytes()
    assert len(np.unique(found[0])) > CARS


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (
            "import numpy as np\nkept = []\n"
            "def reward(moment):\n    while True:\n        kept.append(np.ones(10**6))\n",
            "in `kept.append(np.ones(10**6))` (the cage allows 0.5 GiB of memory).",
        ),
        (
            "def reward(moment):\n    kept = []\n    while True:\n        kept.append('x' * 9 + str(len(kept)))\n",
            "(the cage allows 0.5 GiB of memory).",
        ),
        (
            "kept = bytearray(2**31)\n",
            "FILE, line 1: MemoryError in `kept = bytearray(2**31)` (the cage allows 0.5 GiB",
        ),
        (
            "import os, time\ndef reward(moment):\n    for _ in range(9):\n        if os.fork() == 0:\n"
            "            kept = bytearray(b'x') * 10**8; time.sleep(99)\n    time.sleep(3)\n",
            "ended the reward function's process (its processes used over 0.5 GiB of memory).",
        ),
    ],
)
@pytest.mark.slow
def test_eating_all_memory_is_told(said: Said, code: str, sentence: str) -> None:
    assert sentence in said(code)


def test_reading_the_callers_files_is_told_with_its_line(said: Said, tmp_path: Path) -> None:
    (tmp_path / "other.txt").write_text("mine")
    found = said(f"def reward(moment):\n    return open({str(tmp_path / 'other.txt')!r}).read()\n")
    assert found.startswith("FILE, line 2: FileNotFoundError: ")


def test_a_neighbour_that_is_a_link_is_not_there(said: Said, tmp_path: Path) -> None:
    secret = tmp_path / "home"
    secret.mkdir()
    (secret / "keys.py").write_text("KEY = 'secret'\n")
    (tmp_path / "neighbour.py").symlink_to(secret / "keys.py")
    assert "No module named 'neighbour'" in said("import neighbour\ndef reward(moment):\n    return 1\n")


def test_the_network_is_told_with_its_line(said: Said) -> None:
    code = (
        "import urllib.request\ndef reward(moment):\n    return urllib.request.urlopen('http://192.0.2.1', timeout=2)\n"
    )
    assert said(code).startswith("FILE, line 3: URLError")


# How the file can reach past the reward function to the connection to the trainer.
CONNECTION = """
import gc, socket, struct, sys, time
def speak(kind, length, content=b""):
    for thing in gc.get_objects():
        if isinstance(thing, socket.socket):
            thing.sendall(struct.pack("<cq", kind, length) + content)
def reward(moment):
    {does}
    time.sleep(30)
"""


@pytest.mark.parametrize(
    ("does", "sentence"),
    [
        ("speak(b'r', 2**62)", "FILE: it gave an answer that is none: "),
        ("speak(b'r', -1)", "FILE: it gave an answer that is none: "),
        ("speak(b'r', 8, b'x' * 8)", "FILE: it gave an answer that is none: "),
        ("speak(b'z', 512, b'x' * 512)", "FILE: it gave an answer that is none: "),
        ("speak(b'r', 512, struct.pack('<d', float('nan')) * 64)", "FILE: it gave rewards past the reward function: "),
        ("speak(b'e', 9, b'\\x1b[2Jgone.')", " [2Jgone."),
        ("speak(b'e', 10**6, b'x' * 10**6)", "FILE: it gave an answer that is none: "),
        ("[(speak(b'r', 512) if n == 0 else speak(b'', 0), time.sleep(0.2)) for n in range(99)]", "took over 1 s"),
    ],
)
@pytest.mark.slow
def test_what_comes_back_is_not_believed(said: Said, monkeypatch: pytest.MonkeyPatch, does: str, sentence: str) -> None:
    monkeypatch.setattr(user_reward, "LIMIT", 1.0)
    if "for n in" in does:  # a byte now and then
        does = does.replace("speak(b'', 0)", "[s.send(b'x') for s in gc.get_objects() if isinstance(s, socket.socket)]")
    assert sentence in said(CONNECTION.replace("{does}", does))


def test_lines_in_the_words_that_mean_nothing(said: Said) -> None:
    code = """
        import os
        def reward(moment):
            os.write(2, f'File "{__file__}", line \\n File "{__file__}", line x in y\\n\\x1b[2Jlast'.encode())
            os._exit(3)
        """
    assert said(code).startswith("FILE: rewarding 64 cars ended the reward function's process (code 3,  [2Jlast)")


@pytest.mark.slow
def test_an_endless_import_is_told(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_reward, "LOADING_LIMIT", 1.0)
    assert said("import time\ntime.sleep(1e6)\n") == (
        "FILE, line 2: importing it took over 1 s and was ended at `time.sleep(1e6)`."
    )


def test_a_file_in_no_encoding_is_told(tracks: TrackSet, car: Car, cage: Cage, tmp_path: Path) -> None:
    path = tmp_path / "my_reward.py"
    path.write_bytes(b"x = 'caf\xe9'\ndef reward(moment):\n    return 1\n")
    for place in (user_reward.OWN, cage):
        with pytest.raises(OutlapError, match=rf"^{path}, line \d+: SyntaxError: .*utf-8") as caught:
            UserReward(path, tracks, car, CARS, 0, cage=place)
        assert "\n" not in str(caught.value)


def test_too_many_neighbours_are_told(tracks: TrackSet, car: Car, cage: Cage, tmp_path: Path) -> None:
    for number in range(201):
        (tmp_path / f"n{number}.py").write_text("")
    with pytest.raises(OutlapError, match="over 200 Python files lie in"):
        UserReward(tmp_path / "n0.py", tracks, car, CARS, 0, cage=cage)


def test_the_log_is_written_from_inside(tracks: TrackSet, car: Car, cage: Cage, tmp_path: Path) -> None:
    path, log = tmp_path / "my_reward.py", tmp_path / "run" / "reward.log"
    log.parent.mkdir()
    path.write_text(
        textwrap.dedent("""
        import os
        print("hello")
        def reward(moment):
            print("seen", os.path.exists(LOG))
            return moment.x
        """).replace("LOG", repr(str(log)))
    )
    with closing(UserReward(path, tracks, car, CARS, 0, log, cage)) as reward:
        _drive(tracks, car, reward, 1)
    assert log.read_text() == "hello\nseen False\n"


@pytest.mark.slow
def test_the_log_is_out_of_reach(tracks: TrackSet, car: Car, cage: Cage, tmp_path: Path) -> None:
    """By a descriptor of the file, a program can empty it, fill it, or make it a setuid program of the user's."""
    path, log = tmp_path / "my_reward.py", tmp_path / "run" / "reward.log"
    log.parent.mkdir()
    log.write_text("earlier\n")
    path.write_text(
        textwrap.dedent("""
        import contextlib, os, signal, stat
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        print("before")
        files = []
        for name in os.listdir("/proc/self/fd"):
            with contextlib.suppress(OSError):
                if stat.S_ISREG(os.fstat(int(name)).st_mode):
                    files.append(os.readlink(f"/proc/self/fd/{name}"))
            for misdeed in (
                lambda: os.fchmod(int(name), 0o4755),
                lambda: os.ftruncate(int(name), 0),
                lambda: os.open(f"/proc/self/fd/{name}", os.O_RDWR | os.O_TRUNC),
            ):
                with contextlib.suppress(OSError):
                    misdeed()
        assert not files, files
        def reward(moment):
            for number in map(int, os.listdir("/proc/self/fd")):
                with contextlib.suppress(OSError):
                    if stat.S_ISFIFO(os.fstat(number).st_mode):
                        for _ in range(40):
                            os.write(number, b"x" * 2**18)
            return moment.x
        """)
    )
    with closing(UserReward(path, tracks, car, CARS, 0, log, cage)) as reward:
        _drive(tracks, car, reward, 2)
    content = log.read_bytes()
    assert content.startswith(b"earlier\nbefore\nxxx")
    assert len(content) == len(b"earlier\n") + LOG_LIMIT
    assert stat.S_IMODE(log.stat().st_mode) == 0o644


@pytest.mark.slow
def test_a_log_that_cannot_be_written_hinders_nothing(tracks: TrackSet, car: Car, cage: Cage, tmp_path: Path) -> None:
    path = tmp_path / "my_reward.py"
    path.write_text("print('x' * 10**6)\ndef reward(moment):\n    print('x' * 10**6)\n    return moment.x\n")
    os.mkfifo(tmp_path / "pipe")
    for log in (tmp_path / "pipe", tmp_path, tmp_path / "none" / "log"):
        for place in (user_reward.OWN, cage):
            with closing(UserReward(path, tracks, car, CARS, 0, log, place)) as reward:
                _drive(tracks, car, reward, 2)
