"""trainer alone: it tells how it is getting on, does as it is asked, and leaves a run that can be resumed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from outlap_nodes.shared.messages import CURRENT, RECORD
from std_srvs.srv import Trigger

from outlap.policy.file import load_policy

pytestmark = pytest.mark.live

STAGES = ("", "tracks", "teacher", "student")
FIRST = 150.0  # s for the first words of a trainer: the first start on a machine compiles


class Told:
    """What a trainer tells of itself."""

    def __init__(self, probe: Any, topic: str = "/trainer/status") -> None:
        self._arrays: list[DiagnosticArray] = probe.listen(
            DiagnosticArray, topic, CURRENT if topic == "/trainer/status" else RECORD
        )

    def __getitem__(self, key: str) -> str:
        if not self._arrays:
            return ""
        return next((value.value for value in self._arrays[-1].status[0].values if value.key == key), "")

    @property
    def progress(self) -> tuple[int, int]:
        """The stage's number and its iterations done; later is more."""
        return STAGES.index(self["stage"]), int(self["done"] or 0)


@pytest.mark.timeout(300)
def test_a_run_pauses_goes_on_and_saves_as_asked_and_resumes_after_a_signal(
    probe: Any, start: Callable[..., Any], training: Callable[..., Path], tmp_path: Path
) -> None:
    out = tmp_path / "run"

    def ask(what: str) -> None:
        answer = probe.call(Trigger, f"/trainer/{what}", Trigger.Request())
        assert answer.success, answer.message

    told, health = Told(probe), Told(probe, "/diagnostics")
    trainer = start("trainer", config=training(steps=40_000), out=out, seed=3)
    probe.until(lambda: told.progress >= (STAGES.index("student"), 2), "the student learning", FIRST)
    assert told["state"] == "training"
    assert int(told["total"]) >= 10_000
    probe.until(lambda: float(told["per_second"] or 0) > 0 and float(told["left_s"]) > 0, "a pace")
    ask("pause")
    probe.until(lambda: told["state"] == "paused" and health["state"] == "paused", "the pause")
    done = told.progress
    probe.spin(1.5)
    assert told.progress == done
    ask("save")
    probe.until(lambda: "saved" in trainer.said, "saving")
    assert told.progress == done
    ask("proceed")
    probe.until(lambda: told.progress > done and told["state"] == "training", "going on")
    assert trainer.stop() == 0
    assert f"outlap train --resume {out}" in trainer.said
    last = told.progress

    again = start("trainer", out=out, resume=True)
    probe.until(lambda: told.progress > last, "the resumed run getting further", FIRST)
    assert again.process.poll() is None
    assert again.stop() == 0
    assert "Traceback" not in trainer.said + again.said


@pytest.mark.timeout(300)
def test_a_trainer_ends_with_its_run_unless_a_car_is_watched(
    probe: Any, start: Callable[..., Any], training: Callable[..., Path], tmp_path: Path
) -> None:
    alone = start("trainer", config=training(), out=tmp_path / "alone", seed=3)
    watched = start("trainer", config=training(), out=tmp_path / "watched", seed=3, watch=True)
    assert alone.process.wait(FIRST) == 0, alone.said
    probe.until(lambda: "the car drives on" in watched.said, "the end of the run", FIRST)
    told = Told(probe)  # late, and told all the same
    probe.until(lambda: told["state"] == "finished", "the status")
    answer = probe.call(Trigger, "/trainer/pause", Trigger.Request())
    assert not answer.success
    assert "finished" in answer.message
    assert watched.process.poll() is None
    assert watched.stop() == 0
    one, two = (load_policy(tmp_path / name / "policy.onnx") for name in ("alone", "watched"))
    assert one.digest == two.digest


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"preset": "slow"}, "no training preset named 'slow'"),
        ({"resume": True}, "holds no run to resume"),
        ({"colour": "red"}, "colour: unknown key"),
    ],
)
def test_a_run_that_cannot_begin_is_told_in_one_sentence(
    start: Callable[..., Any], tmp_path: Path, parameters: dict[str, Any], words: str
) -> None:
    program = start("trainer", **{"out": str(tmp_path / "out"), **parameters})
    assert program.process.wait(FIRST) == 2
    lines = [line for line in program.said.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, program.said
    assert words in lines[0]
    assert "Traceback" not in program.said
