"""A run's folder: who owns its names, what it says of its run, and that nothing odd in it stops anybody."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from made_runs import make_run

from outlap.errors import OutlapError
from outlap.files import lock_folder, share_directory
from outlap.learning.runs.checkpoint import load_checkpoint
from outlap.learning.runs.folder import LearningFolder, LiveFolder, RunFolder, find_runs
from outlap.learning.runs.info import RunStatus
from outlap.racing.result import RESULT_FILES

HERE = Path("RUN")


def names(kind: type[LearningFolder], folder: Path) -> dict[str, Path]:
    """The paths of all properties of a folder that is one of a run's."""
    made = kind(folder)
    found = {name: getattr(made, name) for cls in kind.__mro__ for name in vars(cls) if not name.startswith("_")}
    return {name: value for name, value in found.items() if isinstance(value, Path) and name != "path"}


def change(path: Path, **values: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


# Names


def test_every_name_is_a_file_or_a_folder_of_the_run() -> None:
    for kind in (RunFolder, LiveFolder):
        known = {*kind.FILES, *kind.FOLDERS}
        unused = {"evaluation_file", "curves_file", "film_file", "checkpoint_folder"} if kind is LiveFolder else set()
        assert set(names(kind, HERE)) - unused == known


def test_the_documents_table_is_the_folders() -> None:
    text = (share_directory() / "docs" / "training.md").read_text().split("## A run's folder")[1].split("\n## ")[0]
    told = {name for row in re.findall(r"^\| (`.*?) \|", text, re.MULTILINE) for name in re.findall(r"`([^`]+)`", row)}
    run = RunFolder(HERE)
    wanted = {str(path.relative_to(HERE)) for path in names(RunFolder, HERE).values()} | set(RESULT_FILES)
    folders = {"checkpoint", "tensorboard", "live", "tracks"}
    wanted = {f"{name}/" if name in folders else name for name in wanted} - {"checkpoint/checkpoint.json"}
    assert told == wanted | {run.kept_policy(0).name.replace("0", "…")}


def test_the_launch_file_looks_where_the_run_writes() -> None:
    text = (share_directory() / "launch" / "train.launch.xml").read_text()
    run = RunFolder("$(var out)")
    assert f'value="{run.policy_file}"' in text
    assert f'value="{run.live.driving_file}"' in text


def test_listing_imports_nothing_heavy(tmp_path: Path) -> None:
    make_run(tmp_path / "one")
    program = (
        "import sys\nfrom pathlib import Path\nfrom outlap.learning.runs.folder import find_runs\n"
        "infos = [run.info() for run in find_runs(Path(sys.argv[1]))]\n"
        "assert [info.status for info in infos] == ['finished'], infos\n"
        "heavy = {'torch', 'numba', 'cv2', 'scipy', 'onnx', 'onnxruntime', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True, timeout=60)


# What it says


def test_a_finished_run_says_what_it_came_to(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    info = run.info()
    assert (info.status, info.problem, info.notes) == (RunStatus.FINISHED, None, ())
    assert (info.recipe, info.car, info.seed, info.outlap_version) == ("distill", "deepracer", 7, "0.1.0")
    assert (info.clean_laps, info.lap_time_s, info.train_seconds) == (0.75, 8.5, 100.0)
    assert (info.stage, info.resumable, info.digest) == (None, False, "0" * 64)
    assert info.changed is not None
    summary, evaluation = run.summary(), run.evaluation()
    assert summary is not None and evaluation is not None
    assert (summary.camera_frames, evaluation.laps[0].track) == (1000, "oval")


def test_an_unfinished_run_says_how_far_it_is_and_whether_it_runs(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", finished=False)
    info = run.info()
    assert (info.status, info.stage, info.iteration, info.iterations) == (RunStatus.INTERRUPTED, "student", 3, 20)
    assert (info.clean_laps, info.lap_time_s, info.resumable) == (0.25, 9.5, True)
    with lock_folder(run.path):
        info = run.info()
        assert (info.status, info.iteration, info.resumable) == (RunStatus.RUNNING, 3, False)
    assert run.info().status is RunStatus.INTERRUPTED


def test_looking_at_the_lock_keeps_nobody_out(tmp_path: Path) -> None:
    with lock_folder(tmp_path):
        pass
    handle = os.open(tmp_path / ".lock", os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_SH)  # somebody looks
    child = subprocess.Popen(["sleep", "0.02"], pass_fds=[handle])  # … and is slow about it
    os.close(handle)
    with lock_folder(tmp_path):
        pass
    child.wait()


def test_keys_of_a_newer_outlap_are_told_and_kept(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    change(run.summary_file, joules=5)
    info = run.info()
    assert info.status is RunStatus.FINISHED
    assert info.notes == (f"{run.path}: the summary has keys that this Outlap does not know: joules.",)
    summary = run.summary()
    assert summary is not None and summary.model_extra == {"joules": 5}


def test_what_had_not_begun_and_what_has_lost_its_checkpoint(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    run.checkpoint_folder.mkdir(parents=True)
    (run.checkpoint_folder / ".checkpoint.json.x7").write_text("half of it")
    assert run.info().status is RunStatus.NOT_BEGUN
    lost = make_run(tmp_path / "lost")
    shutil.rmtree(lost.checkpoint_folder)
    info = lost.info()
    assert (info.status, info.seed, info.recipe) == (RunStatus.FINISHED, 7, "distill")
    assert "checkpoint.json is missing" in info.notes[0]
    lost.summary_file.unlink()
    info = lost.info()
    assert info.status is RunStatus.DAMAGED
    assert info.problem is not None and "neither checkpoint nor summary" in info.problem


def test_a_checkpoint_of_before_is_no_damage(tmp_path: Path) -> None:
    for finished, status in ((True, RunStatus.FINISHED), (False, RunStatus.INTERRUPTED)):
        run = make_run(tmp_path / status, finished)
        content = json.loads(run.checkpoint_index.read_text())
        del content["reached"]  # it was not there then
        content["about"]["versions"]["outlap"] = "0.0.9"
        run.checkpoint_index.write_text(json.dumps({**content, "format": 1}))
        info = run.info()
        assert (info.status, info.seed, info.resumable, info.stage) == (status, 7, False, None)
        assert "of format 1, written by Outlap 0.0.9" in info.notes[0]
        assert "still works" in info.notes[0]


@pytest.mark.slow
def test_what_a_real_run_writes_is_all_known(finished_run: Path) -> None:
    run = RunFolder(finished_run)
    info = run.info()
    assert (info.status, info.problem, info.notes, info.recipe) == (RunStatus.FINISHED, None, (), "distill")
    summary, evaluation = run.summary(), run.evaluation()
    assert summary is not None and evaluation is not None
    assert not any(record.model_extra for record in (summary, evaluation, *evaluation.laps))
    assert info.digest == summary.digest
    assert {path.name for path in run.path.iterdir()} <= {path.name for path in names(RunFolder, run.path).values()}


@pytest.mark.parametrize("depth", [100, 900, 5000])
def test_a_state_nested_deeply_ends_nobody(tmp_path: Path, depth: int) -> None:
    run = make_run(tmp_path / "run")
    content = {**json.loads(run.checkpoint_index.read_text()), "state": {"x": "NESTED"}, "more": "NESTED"}
    run.checkpoint_index.write_text(json.dumps(content).replace('"NESTED"', "[" * depth + "]" * depth))
    run.info()
    with contextlib.suppress(OutlapError):
        load_checkpoint(run.checkpoint_folder)


# What is wrong with it


def at(name: str) -> Callable[[RunFolder], Path]:
    return lambda run: getattr(run, name)


def arrays(run: RunFolder) -> Path:
    return next(run.checkpoint_folder.glob("*.npz"))


def replaced_by_link(path: Path) -> None:
    """What was there lies elsewhere, whole, and a link in its place."""
    path.rename(path.with_name(f"moved-{path.name}"))
    path.symlink_to(path.with_name(f"moved-{path.name}"))


def replaced_by_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def replaced_by_socket(path: Path) -> None:
    path.unlink()
    with socket.socket(socket.AF_UNIX) as server, tempfile.TemporaryDirectory() as short:
        server.bind(f"{short}/s")
        Path(f"{short}/s").rename(path)


def replaced_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def huge(path: Path) -> None:
    os.truncate(path, 1 << 40)


def written(content: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(content)

    return write


def with_values(**values: Any) -> Callable[[Path], None]:
    return lambda path: change(path, **values)


INDEX, SUMMARY = at("checkpoint_index"), at("summary_file")
DAMAGES: dict[str, tuple[Callable[[RunFolder], Path], Callable[[Path], None], str]] = {
    "the policy is a link": (at("policy_file"), replaced_by_link, "is a link to"),
    "the policy is a pipe": (at("policy_file"), replaced_by_pipe, "is not a regular file"),
    "the policy is gone": (at("policy_file"), Path.unlink, "is missing, though the run is finished"),
    "the checkpoint's folder is a link": (at("checkpoint_folder"), replaced_by_link, "is a link to"),
    "the checkpoint's folder is a file": (at("tensorboard_folder"), written(b"x"), "is not a folder"),
    "the index is a link": (INDEX, replaced_by_link, "is a link to"),
    "the index is a pipe": (INDEX, replaced_by_pipe, "is not a regular file"),
    "the index is a folder": (INDEX, replaced_by_folder, "is not a regular file"),
    "the index is cut": (INDEX, cut, "half written"),
    "the index is empty": (INDEX, written(b""), "half written"),
    "the index is huge": (INDEX, huge, "over 64 MiB is refused"),
    "the index is not UTF-8": (INDEX, written(b"\xff\xfe\xff{"), "half written"),
    "the index is another JSON": (INDEX, written(b"[1]"), "the checkpoint is refused"),
    "the index is nested without end": (INDEX, written(b"[" * 100_000), "half written"),
    "the index has a number without end": (INDEX, written(b'{"format": ' + b"9" * 9999 + b"}"), "half written"),
    "the index is of the future": (INDEX, with_values(format=99), "of a newer Outlap"),
    "the format is no number": (INDEX, with_values(format="two"), "format: "),
    "about is a list": (INDEX, with_values(about=[]), "about: "),
    "about says little": (INDEX, with_values(about={"finished": True}), "versions: missing"),
    "the arrays lie elsewhere": (
        INDEX,
        with_values(arrays={"file": "../../elsewhere.npz", "sha256": "0" * 64}),
        "cannot be in its own folder",
    ),
    **{
        f"the arrays are no name, {what}": (
            INDEX,
            with_values(arrays={"file": name, "sha256": "0" * 64}),
            "cannot be in its own folder",
        )
        for what, name in {
            "NUL": "a\0b",
            "half a pair": "\ud800.npz",
            "too long": "a" * 300,
            "hidden": ".npz",
            "nothing": "",
            "line": "a\n",
        }.items()
    },
    "the arrays are gone": (arrays, Path.unlink, "is missing or no regular file"),
    "the arrays are a link": (arrays, replaced_by_link, "is a link to"),
    "the arrays are a pipe": (arrays, replaced_by_pipe, "is missing or no regular file"),
    "the summary is a link": (SUMMARY, replaced_by_link, "is a link to"),
    "the summary is a socket": (SUMMARY, replaced_by_socket, "is not a regular file"),
    "the summary is cut": (SUMMARY, cut, "half written"),
    "the summary is gone": (SUMMARY, Path.unlink, "is missing, though the run is finished"),
    "the summary has a wrong kind": (SUMMARY, with_values(seed="seven"), "seed: "),
    "the summary lacks a key": (SUMMARY, written(b"{}"), "missing"),
    "the summary is not a number": (SUMMARY, with_values(clean_fraction=float("nan")), "clean_fraction: "),
    "the evaluation is cut": (at("evaluation_file"), cut, "half written"),
    "the training file is no YAML": (at("training_file"), written(b"recipe: [1"), "not valid YAML"),
    "the training file is cut": (at("training_file"), written(b"recip"), "must be a mapping"),
    "the training file lies about a kind": (at("training_file"), written(b"recipe: !!bool perhaps"), "not valid YAML"),
    "the training file has half a number": (at("training_file"), written(b"recipe: !!int ''"), "not valid YAML"),
    "the training file has no date": (at("training_file"), written(b"recipe: !!timestamp x"), "not valid YAML"),
    "the training file is nested": (at("training_file"), written(b"[" * 100_000), "not valid YAML"),
    "the lock is a link": (at("lock_file"), lambda path: path.symlink_to("/etc/passwd"), "is a link to"),
    "the lesson's folder is a link": (at("live_folder"), lambda path: path.symlink_to("/tmp"), "is a link to"),
    "a link leads nowhere": (at("curves_file"), lambda path: path.symlink_to("nowhere"), "is a link to nowhere"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_named_and_the_others_are_listed(tmp_path: Path, damage: str) -> None:
    place, harm, words = DAMAGES[damage]
    for name in ("a", "b", "c"):
        make_run(tmp_path / name)
    harm(place(RunFolder(tmp_path / "b")))
    infos = [run.info() for run in find_runs(tmp_path)]
    assert [info.status for info in infos] == ["finished", "damaged", "finished"]
    problem = infos[1].problem
    assert problem is not None and words in problem, problem
    assert str(tmp_path / "b") in problem
    assert problem.isprintable()
    json.dumps(infos[1].model_dump(mode="json"))


def test_text_that_a_terminal_would_obey_is_escaped(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run\x1b[2J")
    change(run.summary_file, car="\x1b]0;x\ud800", **{"new\n\x1b[31mkey": 1})
    info = run.info()
    assert all(text.isprintable() for text in (info.path, str(info.car), *info.notes))
    odd = make_run(Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff")))
    assert odd.info().path.isprintable()
    odd.info().path.encode()


# Finding them


def test_runs_are_found_below_and_lessons_are_part_of_theirs(tmp_path: Path) -> None:
    for name in ("b", "a/deep/one", "b/inner", ".hidden/one", "elsewhere/one"):
        make_run(tmp_path / name)
    live = RunFolder(tmp_path / "b").live
    make_run(live.path)
    (tmp_path / "recordings" / "drive").mkdir(parents=True)
    (tmp_path / "race").mkdir()
    (tmp_path / "race" / "result.json").write_text("{}")
    (tmp_path / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "round").symlink_to(tmp_path)
    found = [str(run.path.relative_to(tmp_path)) for run in find_runs(tmp_path)]
    assert found == ["a/deep/one", "b", "b/inner", "elsewhere/one"]
    assert [run.path for run in find_runs(tmp_path / "b" / "inner")] == [tmp_path / "b" / "inner"]
    assert [run.path.name for run in find_runs(tmp_path / "linked")] == ["one"]  # asked for by name
    (tmp_path / "file").write_text("")
    with pytest.raises(OutlapError, match="is a file, not a folder"):
        find_runs(tmp_path / "file")
    with pytest.raises(OutlapError, match="there is no folder"):
        find_runs(tmp_path / "none")


@pytest.fixture
def open_path() -> Iterator[Path]:
    """A folder that another user can come to, too."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_a_folder_without_permission_is_named_and_the_others_are_listed(open_path: Path) -> None:
    for name in ("a", "b"):
        make_run(open_path / name)
    closed = open_path / "a"
    closed.chmod(0)
    program = (
        "import sys, json\nfrom pathlib import Path\nfrom outlap.learning.runs.folder import find_runs\n"
        "from outlap.errors import OutlapError\nfrom outlap.learning.runs import info\nimport os\n"
        "os.chdir(sys.argv[1])\n"
        "if os.geteuid() == 0:\n    os.setresuid(65534, 65534, 65534)\n"
        "infos = [run.info() for run in find_runs(Path('.'))]\n"
        "print(json.dumps([[info.status, info.problem] for info in infos]))\n"
        "try:\n    find_runs(Path('a'))\nexcept OutlapError as error:\n    print(error, file=sys.stderr)\n"
    )
    try:
        result = subprocess.run([sys.executable, "-c", program, open_path], capture_output=True, text=True, timeout=60)
    finally:
        closed.chmod(0o755)
    assert (result.returncode, result.stderr) == (0, "cannot look into a: Permission denied.\n")
    assert json.loads(result.stdout) == [["damaged", "cannot look into a: Permission denied."], ["finished", None]]
