"""Two graphs never share a domain, and two runs never share a folder."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from outlap.errors import OutlapError
from outlap.files import lock_folder
from outlap.launching.domain import PORT_BASE, PORT_OFFSET, PORT_STEP, claim_domain, running_domain

HOLD = """
import sys, time
from pathlib import Path
from outlap.files import lock_folder
from outlap.launching.domain import claim_domain
with (lock_folder(Path(sys.argv[1])) if sys.argv[1:] else claim_domain()) as held:
    print(getattr(held, "id", "locked"), flush=True)
    time.sleep(60)
"""


def hold(*arguments: str) -> tuple[subprocess.Popen[str], str]:
    holder = subprocess.Popen([sys.executable, "-c", HOLD, *arguments], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    return holder, holder.stdout.readline().strip()


def end(holder: subprocess.Popen[str]) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.communicate()


def test_each_graph_gets_a_domain_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ROS_DOMAIN_ID", raising=False)
    with claim_domain() as first, claim_domain() as second:
        assert first.id != second.id
        assert {first.id, second.id} <= set(range(1, 102))


@pytest.mark.parametrize("port", [0, PORT_OFFSET, PORT_OFFSET + 4], ids=["multicast", "first", "third participant"])
def test_a_domain_on_which_other_ros_programs_talk_is_left_alone(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    monkeypatch.delenv("ROS_DOMAIN_ID", raising=False)
    with claim_domain() as domain:
        taken = domain.id
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as participant:
        participant.bind(("127.0.0.1", PORT_BASE + PORT_STEP * taken + port))
        with claim_domain() as other:
            assert other.id != taken


def test_a_named_domain_that_is_taken_is_refused_until_its_holder_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", "178")
    holder, told = hold()
    try:
        assert told == "178"
        with pytest.raises(OutlapError) as error, claim_domain():
            pass
        assert f"(process {holder.pid}) is already running on ROS_DOMAIN_ID 178" in str(error.value)
    finally:
        end(holder)
    with claim_domain() as domain:
        assert domain.id == 178


@pytest.mark.parametrize("text", ["x", "-1", "233", "1.5", "²", "1 2"])
def test_a_domain_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", text)
    with pytest.raises(OutlapError, match="whole number from 0 to 232"), claim_domain():
        pass


def test_a_folder_is_locked_until_its_holder_ends(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "run"
    holder, told = hold(str(folder))
    try:
        assert told == "locked"
        with pytest.raises(OutlapError) as error, lock_folder(folder):
            pass
        assert f"another Outlap run (process {holder.pid}) is writing {folder}" in str(error.value)
    finally:
        end(holder)
    for _ in range(2):
        with lock_folder(folder):
            assert (folder / ".lock").read_text().strip() == str(os.getpid())


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutlapError, match="cannot write to"), lock_folder(tmp_path / "file" / "run"):
        pass


def test_the_one_graph_that_runs_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", "231")
    assert running_domain() == 231
    monkeypatch.setenv("ROS_DOMAIN_ID", "two")
    with pytest.raises(OutlapError, match="is not a ROS domain"):
        running_domain()
    monkeypatch.delenv("ROS_DOMAIN_ID")
    several = pytest.raises(OutlapError, match="choose one with ROS_DOMAIN_ID")
    with claim_domain() as first, claim_domain() as second, several as refusal:
        running_domain()
    assert str(first.id) in str(refusal.value)
    assert str(second.id) in str(refusal.value)
