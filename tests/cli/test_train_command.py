"""``outlap train`` and ``outlap demo``: tiny runs, also interrupted, and what is refused before anything is made."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from outlap.cage.bubblewrap import why_unavailable
from outlap.policy.file import load_policy

Refused = Callable[..., str]
TinyFile = Callable[..., Path]


@pytest.mark.slow
def test_a_policy_is_trained_and_the_same_seed_makes_the_same(
    outlap: Callable, tiny_file: TinyFile, tmp_path: Path
) -> None:
    file = tiny_file()
    code, stdout, stderr = outlap("train", "--config", file, "--out", tmp_path / "here", "--seed", 5)
    assert code == 0, stderr
    assert "wrote" in stdout
    # In a process of its own, with nothing left over from other tests.
    command = [sys.executable, "-m", "outlap.cli.main", "train", "--config", str(file)]
    command += ["--out", str(tmp_path / "there"), "--seed", "5"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=150)
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr
    one, two = (load_policy(tmp_path / place / "policy.onnx") for place in ("here", "there"))
    assert one.digest == two.digest
    assert one.contract.seed == 5
    assert json.loads((tmp_path / "there" / "summary.json").read_text())["digest"] == two.digest


@pytest.mark.slow
def test_ctrl_c_stops_a_run_which_then_goes_on(
    outlap: Callable, refused: Refused, tiny_file: TinyFile, tmp_path: Path
) -> None:
    file, out = tiny_file(), tmp_path / "run"

    def interrupt() -> None:
        while not list(out.glob("checkpoint/state-student-1.npz")):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    code, stdout, _ = outlap("train", "--config", file, "--out", out, "--seed", 5)
    assert code == 130
    assert f"stopped; to go on: outlap train --resume {out}" in stdout
    assert not (out / "summary.json").exists()
    assert f"outlap train --resume {out}" in refused("train", "--config", file, "--out", out)
    assert "leave out --out and --seed" in refused("train", "--resume", out, "--out", out, "--seed", 1)
    code, stdout, stderr = outlap("train", "--resume", out)
    assert code == 0, stderr
    assert "student 1/" not in stdout
    assert json.loads((out / "summary.json").read_text())["seed"] == 5
    assert "is finished" in refused("train", "--resume", out)
    index = out / "checkpoint" / "checkpoint.json"
    index.write_text(
        index.read_text().replace('"finished": true', '"finished": false').replace('"torch": "', '"torch": "1.')
    )
    assert "torch 1." in refused("train", "--resume", out)


def test_where_there_is_no_run_none_is_resumed(refused: Refused, tmp_path: Path) -> None:
    assert "holds no run to resume" in refused("train", "--resume", tmp_path)
    assert "there is no folder" in refused("train", "--resume", tmp_path / "none")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"colour": "red"}, "colour: unknown key."),
        ({"task": {"crash_penalty": float("nan")}}, "task.crash_penalty: "),
        ({"task": {"rate_hz": 35}}, "35 does not divide the simulator's 120 Hz."),
        ({"task": {"curvature_limit": 9}}, "the car deepracer reaches only 3.52 1/m."),
    ],
)
def test_a_bad_training_file_is_refused_before_anything_is_made(
    refused: Refused, tiny_file: TinyFile, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    file = tiny_file(**changes)
    out = tmp_path / "out"
    sentence = refused("train", "--config", file, "--out", out)
    assert sentence.startswith(str(file))
    assert message in sentence
    assert not out.exists()


def test_a_policy_that_its_own_car_could_not_run_is_not_trained(
    outlap: Callable, tiny_file: TinyFile, tmp_path: Path
) -> None:
    file, out = tiny_file(task={"rate_hz": 60}), tmp_path / "out"
    code, _, stderr = outlap("train", "--config", file, "--out", out)
    assert code == 2
    assert "needs 60 frames per second, the car's camera gives 30" in stderr
    assert [path.name for path in out.iterdir()] == [".lock"]


def test_a_folder_that_cannot_be_written_is_told(refused: Refused, tiny_file: TinyFile, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    sentence = refused("train", "--config", tiny_file(), "--out", tmp_path / "file" / "out")
    assert sentence == f"cannot write to {tmp_path / 'file' / 'out'}: Not a directory."
    assert (tmp_path / "file").read_text() == "not a folder"


def test_names_that_do_not_exist_are_told(refused: Refused, tmp_path: Path) -> None:
    assert "no training preset named 'slow'" in refused("train", "--preset", "slow", "--out", tmp_path / "out")
    assert "no car named 'tank'" in refused("train", "--car", "tank", "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_demo_sees_to_its_track_before_it_trains(refused: Refused, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("format: 1\nname: bad\nclosed: true\nrows: [[0, 0, 1, 1, 2, 2]]\n")
    assert refused("demo", "--track", bad, "--out", tmp_path / "out").startswith(str(bad))
    assert "nowhere" in refused("demo", "--track", "nowhere", "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.fixture
def no_cage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine without bubblewrap."""
    why_unavailable.cache_clear()
    monkeypatch.setenv("PATH", str(tmp_path))
    yield
    why_unavailable.cache_clear()


@pytest.mark.usefixtures("no_cage")
def test_where_there_is_no_cage_a_run_in_it_is_refused_before_its_folder_is_touched(
    refused: Refused, tiny_file: TinyFile, tmp_path: Path
) -> None:
    reward, out = tmp_path / "stranger.py", tmp_path / "run"
    reward.write_text("def reward(moment):\n    return moment.gained\n")
    for words in (
        ("--config", tiny_file(reward=str(reward)), "--cage"),
        ("--config", tiny_file(reward=str(reward), caged=True)),
    ):
        sentence = refused("train", *words, "--out", out)
        assert "the cage needs bubblewrap, which is not installed" in sentence
        assert "To run it unprotected, if you trust whoever wrote it, leave out --cage" in sentence
        assert not out.exists()


@pytest.mark.slow
def test_a_run_in_the_cage_does_not_go_on_where_there_is_none(
    outlap: Callable, refused: Refused, tiny_file: TinyFile, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    why = why_unavailable()
    if why is not None:
        pytest.skip(why)
    reward, out = tmp_path / "stranger.py", tmp_path / "run"
    reward.write_text("def reward(moment):\n    raise ValueError\n")
    assert outlap("train", "--config", tiny_file(reward=str(reward)), "--out", out, "--cage")[0] == 2

    def held() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in out.rglob("*") if path.is_file()}

    before = held()
    request.getfixturevalue("no_cage")
    sentence = refused("train", "--resume", out)
    assert "the cage needs bubblewrap, which is not installed" in sentence
    assert "start the run anew without --cage" in sentence
    assert held() == before


def test_the_built_in_reward_is_not_caged(refused: Refused, tiny_file: TinyFile, tmp_path: Path) -> None:
    out = tmp_path / "run"
    for words in (("--config", tiny_file(), "--cage"), ("--config", tiny_file(caged=True))):
        assert "does not run in the cage: leave out --cage" in refused("train", *words, "--out", out)
        assert not out.exists()


@pytest.mark.slow
def test_a_strangers_reward_learns_in_the_cage_also_when_resumed(
    outlap: Callable, refused: Refused, tiny_file: TinyFile, tmp_path: Path
) -> None:
    why = why_unavailable()
    if why is not None:
        pytest.skip(why)
    reward, out, own = tmp_path / "stranger.py", tmp_path / "run", tmp_path / "own"
    # What it prints says whether it sees a file of the user's; it never gets far.
    reward.write_text(
        f"import os\nprint(os.path.exists({str(tmp_path / 'tiny.yaml')!r}))\ncalls = 0\n"
        "def reward(moment):\n    global calls\n    calls += 1\n    assert calls < 9, 'enough'\n"
        "    return moment.gained\n"
    )
    file = tiny_file(reward=str(reward))
    for words in (("--config", file, "--out", out, "--cage"), ("--resume", out), ("--config", file, "--out", own)):
        code, _, stderr = outlap("train", *words)
        assert code == 2
        assert f"{reward}, line 7: AssertionError: enough" in stderr.replace("\n", " ")
    assert (out / "reward.log").read_text() == "False\nFalse\n"
    assert (own / "reward.log").read_text() == "True\n"
    assert "leave out --cage" in refused("train", "--resume", out, "--cage")
