"""A node's status crosses /diagnostics as text, and is read by its model or passed over with a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from outlap_nodes.shared import statuses
from outlap_nodes.shared.statuses import MotorStatus, PolicyStatus, RefereeStatus, StatusReader, TrainerStatus

MOTOR = MotorStatus(
    state="armed", reason="", car="car.yaml", tick_hz=50.0, tick_ms_p99=20.5, speed=0.25, steering=-0.1, vesc="answers"
)


def message(name: str, values: list[KeyValue], level: bytes = DiagnosticStatus.OK) -> DiagnosticArray:
    return DiagnosticArray(status=[DiagnosticStatus(name=name, level=level, message="words", values=values)])


def reader() -> tuple[StatusReader, list[str]]:
    said: list[str] = []
    return StatusReader("/car1/diagnostics", said.append, MotorStatus, PolicyStatus, RefereeStatus, TrainerStatus), said


def test_what_is_said_is_heard() -> None:
    read, said = reader()
    (heard,) = read.read(message("motor", MOTOR.texts(), DiagnosticStatus.WARN))
    assert (heard.values, heard.level, heard.text) == (MOTOR, DiagnosticStatus.WARN, "words")
    assert heard.values.more == {"vesc": "answers"}
    assert said == []


def test_keys_and_texts_are_those_that_people_and_tools_know() -> None:
    assert [(text.key, text.value) for text in MOTOR.texts()] == [
        ("state", "armed"),
        ("reason", ""),
        ("car", "car.yaml"),
        ("tick_hz", "50.00"),
        ("tick_ms_p99", "20.50"),
        ("speed", "0.2500"),
        ("steering", "-0.1000"),
        ("vesc", "answers"),
    ]
    plain = PolicyStatus(rate_hz=30.0, inference_ms=0.5, digest="ab")
    assert [text.key for text in plain.texts()] == ["rate_hz", "inference_ms", "digest"]
    exchanging = PolicyStatus(rate_hz=30.0, inference_ms=0.5, digest="", taken=0, refused="")
    assert [text.key for text in exchanging.texts()][3:] == ["taken", "refused"]


def test_a_number_that_is_not_known_yet_is_none() -> None:
    status = RefereeStatus(
        phase="racing", laps=0, streak=0, frame_to_actuator_ms_p50=None, frame_to_actuator_ms_p99=1.5
    )
    assert [text.value for text in status.texts()][3:] == ["None", "1.50"]
    read, _ = reader()
    assert [heard.values for heard in read.read(message("referee", status.texts()))] == [status]


def test_a_training_run_has_measures_of_its_own() -> None:
    read, _ = reader()
    (heard,) = read.read(message("trainer", TrainerStatus(state="training", stage="student", loss=0.0012).texts()))
    assert heard.values.more == {"stage": "student", "loss": "0.0012"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"state": None}, "lacks 'state'"),
        ({"speed": "fast"}, "has 'speed' = 'fast'"),
        ({"speed": "x" * 10_000}, "has 'speed' = 'xxxx"),
        ({"tick_hz": ""}, "has 'tick_hz' = ''"),
    ],
)
def test_what_cannot_be_used_is_passed_over_and_told_of_once(change: dict[str, str | None], words: str) -> None:
    read, said = reader()
    texts = {text.key: text.value for text in MOTOR.texts()} | change
    bad = message("motor", [KeyValue(key=key, value=value) for key, value in texts.items() if value is not None])
    for _ in range(3):
        assert list(read.read(bad)) == []
    (sentence,) = said
    assert sentence.startswith("a status of 'motor' on /car1/diagnostics cannot be used") and words in sentence
    assert len(sentence) < 200
    assert len(list(read.read(message("motor", MOTOR.texts())))) == 1  # a good one is heard again
    list(read.read(bad))
    assert len(said) == 2


def test_nothing_of_a_strangers_is_read() -> None:
    read, said = reader()
    assert list(read.read(message("imu", [KeyValue(key="state", value="armed")]))) == []
    assert list(read.read(message("", []))) == []
    assert list(read.read(DiagnosticArray())) == []
    assert said == []


def test_one_bad_status_does_not_hide_the_others_of_a_message() -> None:
    read, said = reader()
    both = message("policy", [])
    both.status.append(message("motor", MOTOR.texts()).status[0])
    assert [heard.values for heard in read.read(both)] == [MOTOR]
    assert len(said) == 1


def test_every_program_that_speaks_has_a_model() -> None:
    folder = Path(statuses.__file__).parent.parent
    speaks = {path.stem for path in folder.glob("*.py") if "Diagnostics(self" in path.read_text()}
    models = {kind.speaker for kind in statuses.NodeStatus.__subclasses__()}
    assert models == speaks
