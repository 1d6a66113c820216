"""The calibration file that a DeepRacer's own software keeps: the pulses that come of it, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from outlap.drivers.deepracer_calibration import calibrated
from outlap.drivers.fakes.deepracer import FakeDeepRacer
from outlap.drivers.opening import open_actuator
from outlap.errors import OutlapError
from outlap.vehicle.car import Car

DEFAULTS = {  # servo_mgr.hpp of aws-deepracer/aws-deepracer-servo-pkg, as its writeCalJSON writes them
    "Calibration": {
        "Motor": {"max": 1603500, "mid": 1446000, "min": 1311000, "polarity": -1},
        "Servo": {"max": 1700000, "mid": 1450000, "min": 1200000, "polarity": 1},
        "version": 1,
    }
}


def test_the_cars_own_calibration_gives_the_pulses_and_the_car_file_the_rest(
    racer: FakeDeepRacer, tmp_path: Path, equipped: Callable[..., Car]
) -> None:
    path = tmp_path / "calibration.json"
    path.write_text(json.dumps(DEFAULTS, indent=3))
    actuator = open_actuator(equipped(racer.hardware | {"calibration": str(path)}, neutral="brake"))
    steering, speed = actuator.steering_map, actuator.speed_map
    assert (steering.centre, steering.left, steering.right) == (1450, (0.55, 1700), (-0.6, 1200))
    assert speed.neutral == 1446 and speed.forward[-1] == (4.0, 1311) and speed.reverse[-1] == (2.0, 1603.5)
    # A tenth of the way to the fastest stays a tenth of it.
    assert speed.forward[0] == (0.0, pytest.approx(1446 - 0.1 * 135))
    assert speed.reverse[0] == (0.0, pytest.approx(1446 + 40 / 300 * 157.5))
    assert speed.brake == pytest.approx(1446 + 200 / 300 * 157.5)
    actuator.write(0.0, 0.55, 4.0)
    assert actuator.sent_speed() == 1311
    without = calibrated(steering, speed.model_copy(update={"reverse": ()}), path)[1]
    assert without.reverse == () and without.neutral == 1446


def test_a_calibration_that_makes_pulses_which_cannot_be_sent_is_refused(
    tmp_path: Path, equipped: Callable[..., Car]
) -> None:
    """Else the brake would be refused at the moment when it is needed, and neutral would not come."""
    path = tmp_path / "calibration.json"
    path.write_text(json.dumps(DEFAULTS).replace("1603500", "1950000"))
    car = equipped({"driver": "deepracer", "calibration": str(path)}, neutral="brake", reverse=((0, 1460), (2, 1440)))
    with pytest.raises(OutlapError, match=r"do not go together: a pulse of \d+ µs is refused") as caught:
        open_actuator(car)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: "{", "calibration file is not valid JSON"),
        (lambda c: "[" * 60_000, "calibration file is not valid JSON"),
        (lambda c: " " * 100_000, "a calibration file of over"),
        (lambda c: "[]", "calibration file is refused: whole file"),
        (lambda c: "\xff", "calibration file is "),
        (lambda c: c.pop("Calibration") and None, "refused: Calibration: missing"),
        (lambda c: c["Calibration"].pop("Servo") and None, "refused: Calibration.Servo: missing"),
        (lambda c: c["Calibration"]["Motor"].pop("mid") and None, "refused: Calibration.Motor.mid: missing"),
        (lambda c: c["Calibration"]["Motor"].update(mid=float("nan")), "refused: Calibration.Motor.mid: "),
        (lambda c: c["Calibration"]["Motor"].update(mid=1700000), "Calibration.Motor: min, mid and max must rise"),
        (lambda c: c["Calibration"]["Servo"].update(max=17000000), "Calibration.Servo: min, mid and max must rise"),
        (lambda c: c["Calibration"]["Servo"].update(polarity=0), "refused: Calibration.Servo.polarity: "),
    ],
)
def test_a_calibration_file_that_is_damaged_is_refused(
    tmp_path: Path, equipped: Callable[..., Car], change: Callable[[Any], str | None], message: str
) -> None:
    content = json.loads(json.dumps(DEFAULTS))
    text = change(content)
    path = tmp_path / "calibration.json"
    path.write_text(json.dumps(content) if text is None else text)
    with pytest.raises(OutlapError) as caught:
        open_actuator(equipped({"driver": "deepracer", "calibration": str(path)}))
    assert message in str(caught.value) and str(path) in str(caught.value) and "\n" not in str(caught.value)
    path.unlink()
    with pytest.raises(OutlapError, match="cannot read the calibration file: No such file"):
        open_actuator(equipped({"driver": "deepracer", "calibration": str(path)}))
