"""Whole races on the live graph, with a policy that drives a ring without looking."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fault_figures import FULL, Measured

from outlap.racing.result import Result

pytestmark = pytest.mark.live

RING_CURVATURE = 1 / 1.2  # 1/m
PATIENCE = 170.0  # s; the first start on a machine compiles the renderer


class Graph:
    """The five nodes, each started by itself so that a test can reach them."""

    def __init__(self, start: Callable[..., Any], track: Path, policy: Path, out: Path, **referee: Any) -> None:
        simulated = {"use_sim_time": True}
        self.out = out
        self.simulator = start("simulator", track=track)
        self.camera = start("camera", **simulated)
        self.policy = start("policy", **simulated, policy=policy)
        self.motor = start("motor", **simulated)
        self.referee = start("referee", track=track, policy=policy, output_dir=out, **referee)

    def wait_for(self, words: str) -> None:
        end = time.monotonic() + PATIENCE
        while words not in self.referee.said:
            assert self.referee.process.poll() is None, self.referee.said
            assert time.monotonic() < end, f"the referee never said {words!r}"
            time.sleep(0.05)

    @property
    def result(self) -> Result:
        return Result.model_validate_json((self.out / "result.json").read_text())


@pytest.fixture
def command(
    ring_path: Path, constant_policy: Callable[[float, float], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """``outlap race`` of two laps on the ring, into tmp_path/out."""
    monkeypatch.delenv("ROS_DOMAIN_ID", raising=False)
    monkeypatch.setenv("ROS_LOG_DIR", str(tmp_path))
    policy = constant_policy(RING_CURVATURE, 1.5)
    call = "import sys; from outlap.cli.main import main; sys.exit(main())"
    words = [sys.executable, "-c", call, "race", str(policy), "--track", str(ring_path), "--laps", "2"]
    return [*words, "--out", str(tmp_path / "out")]


@pytest.mark.timeout(240)
def test_outlap_race_drives_clean_laps_and_leaves_its_results(command: list[str], tmp_path: Path) -> None:
    done = subprocess.run([*command, "--json", str(tmp_path / "r.json")], capture_output=True, text=True, timeout=230)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert "ring: completed" in done.stdout
    result = Result.model_validate_json((tmp_path / "out" / "result.json").read_text())
    assert result.completed
    # On a busy machine the gate may stop the car; it stands for a second then, and is armed again, or put back.
    assert result.clean_laps == 2
    assert len(result.laps) == 2 or result.stops
    assert all(4.0 < lap.time_s < 6.5 + 4.0 * len(result.stops) for lap in result.laps)
    assert len(result.policy_digest) == 64
    assert result.frame_to_actuator_ms.count > 100
    assert json.loads((tmp_path / "r.json").read_text())["completed"] is True
    for name in ("lap.png", "drive.mp4"):
        assert (tmp_path / "out" / name).stat().st_size > 10_000


@pytest.mark.timeout(240)
def test_ctrl_c_ends_a_race_without_results(command: list[str], tmp_path: Path) -> None:
    log = tmp_path / "said.txt"
    with log.open("w") as output:
        race = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
    end = time.monotonic() + PATIENCE
    while ": go" not in log.read_text():
        assert race.poll() is None, log.read_text()
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.05)
    os.killpg(race.pid, signal.SIGINT)  # as a terminal does it: to all of them
    assert race.wait(20) == 130
    assert "Traceback" not in log.read_text()
    assert not (tmp_path / "out" / "result.json").exists()


@pytest.mark.timeout(240)
def test_a_car_that_leaves_the_road_is_put_back_and_loses(
    start: Callable[..., Any], ring_path: Path, constant_policy: Callable[[float, float], Path], tmp_path: Path
) -> None:
    straight = constant_policy(0.0, 2.0)
    graph = Graph(start, ring_path, straight, tmp_path / "out", laps=1, time_limit=6.0)
    assert graph.referee.process.wait(PATIENCE) == 1
    assert graph.referee.said.count("off track: the car is put back") >= 2
    assert not graph.result.completed
    assert graph.result.time_s == pytest.approx(6.0, abs=0.1)
    assert (tmp_path / "out" / "lap.png").exists()


@pytest.mark.timeout(240)
def test_a_policy_that_hangs_stops_the_car_and_the_race_goes_on(
    start: Callable[..., Any], ring_path: Path, constant_policy: Callable[[float, float], Path], tmp_path: Path
) -> None:
    policy = constant_policy(RING_CURVATURE, 1.5)
    graph = Graph(start, ring_path, policy, tmp_path / "out", laps=1, rearm=True)
    graph.wait_for("go")
    time.sleep(1.0)
    graph.policy.process.send_signal(signal.SIGSTOP)
    graph.wait_for("the motor stopped the car")
    graph.policy.process.send_signal(signal.SIGCONT)
    assert graph.referee.process.wait(PATIENCE) == 0
    # A process that is stopped may hold shared memory that the motor waits for, so that this stands still as well.
    reasons = [stop.reason for stop in graph.result.stops]
    assert reasons and ("policy" in reasons[0] or "own process stood still" in reasons[0]), reasons
    assert graph.result.clean_laps == 1


@pytest.mark.fault(20)
@pytest.mark.timeout(1200 if FULL else 240)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["dies", "hangs"])
def test_a_simulator_that_dies_or_hangs_ends_the_race_with_one_sentence(
    start: Callable[..., Any],
    ring_path: Path,
    constant_policy: Callable[[float, float], Path],
    tmp_path: Path,
    number: signal.Signals,
    measured: Measured,
) -> None:
    noticed, times = [], 10 if FULL else 1
    for _ in range(times):
        graph = Graph(start, ring_path, constant_policy(RING_CURVATURE, 1.5), tmp_path / "out", laps=50)
        graph.wait_for("go")
        graph.simulator.process.send_signal(number)
        begun = time.monotonic()
        assert graph.referee.process.wait(30) == 2
        noticed.append(time.monotonic() - begun)
        assert "the simulator has been silent" in graph.referee.said
        assert "Traceback" not in graph.referee.said
        assert not (tmp_path / "out").exists()
        graph.simulator.process.kill()
        for program in (graph.camera, graph.policy, graph.motor):
            program.stop()
    measured("noticed", max(noticed), limit=10.0, injections=times)
