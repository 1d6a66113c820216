"""``outlap runs``: what it lists and prints, and what its exit code says."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from made_runs import make_run

Refused = Callable[..., str]


def test_runs_are_listed_for_people_and_for_programs(outlap: Callable, tmp_path: Path) -> None:
    make_run(tmp_path / "done", seed=4)
    make_run(tmp_path / "half", finished=False)
    code, stdout, stderr = outlap("runs", tmp_path)
    assert (code, stderr) == (0, "")
    for words in ("finished", "interrupted", "student 3/20", "75.0%", "8.50 s", "25.0%", "9.50 s", "distill"):
        assert words in " ".join(stdout.split()), stdout
    code, stdout, stderr = outlap("runs", tmp_path, "--json")
    assert (code, stderr) == (0, "")
    done, half = json.loads(stdout)
    assert (done["path"], done["status"], done["seed"]) == (str(tmp_path / "done"), "finished", 4)
    assert (half["status"], half["iteration"], half["iterations"]) == ("interrupted", 3, 20)
    assert half["resumable"] is True


def test_a_damaged_run_is_named_among_the_others_and_in_the_exit_code(outlap: Callable, tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        run = make_run(tmp_path / name)
        if name == "b":
            run.summary_file.write_text("{")
    code, stdout, stderr = outlap("runs", tmp_path)
    assert code == 1
    assert stderr.startswith(f"damaged: {tmp_path / 'b' / 'summary.json'}: the summary is damaged or was half written")
    assert stderr.count("\n") == 1
    assert stdout.count("finished") == 2
    code, stdout, _ = outlap("runs", tmp_path, "--json")
    assert code == 1
    assert [info["status"] for info in json.loads(stdout)] == ["finished", "damaged", "finished"]


def test_names_that_a_terminal_would_obey_are_printed_plainly(outlap: Callable, tmp_path: Path) -> None:
    make_run(tmp_path / "[bold]\x1b[31mred")
    code, stdout, _ = outlap("runs", tmp_path)
    assert code == 0
    assert "\x1b[31m" not in stdout
    assert "[bold]" in stdout.replace("\n", "").replace("│", "").replace(" ", "")


def test_a_folder_without_runs_and_one_that_is_none(outlap: Callable, refused: Refused, tmp_path: Path) -> None:
    assert outlap("runs", tmp_path) == (0, f"no runs in {tmp_path}\n", "")
    assert outlap("runs", tmp_path, "--json") == (0, "[]\n", "")
    assert refused("runs", tmp_path / "none") == f"there is no folder {tmp_path / 'none'}."
    (tmp_path / "file").write_text("")
    assert "is a file, not a folder of runs" in refused("runs", tmp_path / "file")


@pytest.mark.parametrize("option", [[], ["--json"]])
def test_listing_imports_nothing_heavy(tmp_path: Path, option: list[str]) -> None:
    make_run(tmp_path / "run")
    program = (
        "import sys\nfrom outlap.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit as ended:\n    assert not ended.code, ended.code\n"
        "heavy = {'torch', 'numba', 'cv2', 'scipy', 'onnx', 'onnxruntime', 'matplotlib', 'rclpy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    command = [sys.executable, "-c", program, "runs", str(tmp_path), *option]
    subprocess.run(command, check=True, timeout=60, stdout=subprocess.DEVNULL)
