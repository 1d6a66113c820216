"""A policy is shown a recording as its node would show it, and compared with what was really sent."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from foreign_messages import Entry, header, plain

from outlap.camera.view import View
from outlap.camera.warp import Warp
from outlap.errors import OutlapError
from outlap.policy.file import load_policy
from outlap.policy.runtime import Driver
from outlap.recording.images import RAW_TOPIC, VIEW_TOPIC
from outlap.recording.overlay import draw_both
from outlap.recording.read import Recording
from outlap.recording.replay import recorded_car, replay
from outlap.vehicle.car import Car

Foreign = Callable[..., Path]
Constant = Callable[..., Path]
RNG = np.random.default_rng(0)
VIEWS = RNG.integers(0, 256, (90, 48, 80), np.uint8)


def view(row: int, pixels: np.ndarray) -> Entry:
    return VIEW_TOPIC, "sensor_msgs/msg/Image", plain(row / 30, pixels, "mono8")


def sent(car: Car, row: int, curvature: float, speed: float) -> Entry:
    content = {"header": header(row / 30), "name": ["steering", "drive"], "effort": []}
    content |= {"position": [car.steering_angle(curvature), 0.0], "velocity": [0.0, car.wheel_speed(speed)]}
    return "/motor/state", "sensor_msgs/msg/JointState", content


def twist(topic: str, row: int, curvature: float, speed: float) -> Entry:
    zero = {"x": 0.0, "y": 0.0, "z": 0.0}
    content = {"linear": zero | {"x": speed}, "angular": zero | {"z": curvature * speed}}
    return topic, "geometry_msgs/msg/TwistStamped", {"header": header(row / 30), "twist": content}


def drive(car: Car) -> list[Entry]:
    """Three seconds at 1 m/s on a curvature of 0.5, but for a moment of -0.5 from picture 60 to 62."""
    return [
        entry
        for row, pixels in enumerate(VIEWS)
        for entry in (view(row, pixels), sent(car, row, -0.5 if 60 <= row < 63 else 0.5, 1.0))
    ]


def test_the_difference_is_told_in_the_units_of_the_car(foreign: Foreign, constant_policy: Constant, car: Car) -> None:
    recording = Recording(foreign(drive(car)))
    result, curves = replay(load_policy(constant_policy(0.8, 1.5)), recording, car)
    assert (result.frames, result.compared, result.restarts) == (90, 90, 0)
    assert (result.pictures, result.against) == (VIEW_TOPIC, "/motor/state")
    assert result.speed_rms == pytest.approx(0.5)
    assert result.curvature_rms == pytest.approx(math.sqrt((87 * 0.3**2 + 3 * 1.3**2) / 90), rel=1e-5)
    assert result.curvature_bias == pytest.approx((87 * 0.3 + 3 * 1.3) / 90, rel=1e-5)
    worst = result.worst[0]
    assert worst.time_s == pytest.approx(60 * 0.02)  # two messages a picture, 10 ms apart
    assert (worst.curvature, worst.speed) == (pytest.approx((-0.5, 0.8)), pytest.approx((1.0, 1.5)))
    assert all(abs(a.time_s - b.time_s) >= 2 or a is b for a in result.worst for b in result.worst)
    np.testing.assert_allclose(curves.recorded[:, 1], 1.0)


def test_the_policy_that_drove_agrees_with_itself(foreign: Foreign, constant_policy: Constant, car: Car) -> None:
    policy = load_policy(constant_policy(0.3, 1.2, 0.5))
    driver, entries = Driver(policy), []
    for row, pixels in enumerate(VIEWS):
        command = driver.act(row / 30, pixels)
        entries += [view(row, pixels), sent(car, row, command.curvature, command.speed)]
    result, curves = replay(policy, Recording(foreign(entries)), car)
    assert curves.wanted[:, 0].std() > 0.1  # it does look
    assert result.curvature_rms < 1e-5
    assert result.speed_rms < 1e-5


def test_an_answer_that_comes_late_still_belongs_to_its_picture(
    foreign: Foreign, constant_policy: Constant, car: Car
) -> None:
    """On a busy machine the next picture may be recorded before the motor has answered the last one."""
    entries = [view(0, VIEWS[0])]
    for row in range(1, 30):
        entries += [view(row, VIEWS[row]), sent(car, row - 1, (row - 1) / 20, 1.0)]
    _, curves = replay(load_policy(constant_policy(0.8, 1.5)), Recording(foreign(entries)), car)
    np.testing.assert_allclose(curves.recorded[:29, 0], np.arange(29) / 20, atol=1e-9)


def test_raw_frames_pass_through_the_car_s_calibration(foreign: Foreign, constant_policy: Constant, car: Car) -> None:
    policy, lens = load_policy(constant_policy(0.3, 1.2, 0.5)), car.camera.lens
    entries: list[Entry] = []
    frames = []
    for row in range(40):
        smooth = cv2.GaussianBlur(RNG.integers(0, 256, (lens.height, lens.width, 3), np.uint8), (0, 0), 4)
        jpeg = cv2.imencode(".jpg", smooth)[1]
        frames.append(np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8)[..., ::-1])
        content = {"header": header(row / 30), "format": "jpeg", "data": jpeg.tobytes()}
        entries += [(RAW_TOPIC, "sensor_msgs/msg/CompressedImage", content), sent(car, row, 0.3, 1.2)]
    recording = Recording(foreign(entries))
    result, curves = replay(policy, recording, car, raw=True)
    assert (result.pictures, result.frames) == (RAW_TOPIC, 40)
    driver, warp = Driver(policy), Warp(car.camera, View())
    expected = [driver.act(row / 30, warp(frame)) for row, frame in enumerate(frames)]
    np.testing.assert_allclose(curves.wanted, expected, rtol=1e-5)
    with pytest.raises(OutlapError, match="no pictures on /camera/image are recorded"):
        replay(policy, recording, car)


def test_what_was_at_rest_is_not_compared(foreign: Foreign, constant_policy: Constant, car: Car) -> None:
    entries = [entry for row in range(30) for entry in (view(row, VIEWS[row]), sent(car, row, 3.0, 0.0))]
    result, _ = replay(load_policy(constant_policy(0.8, 1.5)), Recording(foreign(entries)), car)
    assert (result.frames, result.compared, result.curvature_rms, result.worst) == (30, 0, 0.0, [])


def test_a_person_s_commands_count_where_the_motor_said_nothing(
    foreign: Foreign, constant_policy: Constant, car: Car
) -> None:
    policy = load_policy(constant_policy(0.8, 1.5))
    entries = [
        entry
        for row in range(30)
        for entry in (view(row, VIEWS[row]), twist("/cmd_vel/hand", row, 0.6, 1.0), twist("/cmd_vel", row, 0.1, 2.0))
    ]
    result, _ = replay(policy, Recording(foreign(entries)), car)
    assert (result.against, result.compared) == ("/cmd_vel/hand", 30)
    assert result.curvature_rms == pytest.approx(0.2, rel=1e-5)
    alone, _ = replay(policy, Recording(foreign([view(row, VIEWS[row]) for row in range(5)])), car)
    assert (alone.against, alone.compared) == ("", 0)


def test_gaps_restart_the_policy_s_memory(foreign: Foreign, constant_policy: Constant, car: Car) -> None:
    entries = [view(row if row < 10 else row + 30, VIEWS[row]) for row in range(20)]
    result, _ = replay(load_policy(constant_policy(0.8, 1.5)), Recording(foreign(entries)), car)
    assert result.restarts == 1


@pytest.mark.parametrize(
    ("pixels", "encoding", "words"),
    [
        (np.zeros((24, 40), np.uint8), "mono8", "the policy needs 1 pictures of 80x48 pixels"),
        (np.zeros((48, 80, 3), np.uint8), "rgb8", "are coloured, no canonical view is"),
        (np.zeros((48, 80), np.uint8), "32FC1", "not one picture on /camera/image can be used"),
    ],
)
def test_pictures_that_are_no_views_are_refused(
    foreign: Foreign, constant_policy: Constant, car: Car, pixels: np.ndarray, encoding: str, words: str
) -> None:
    path = foreign([(VIEW_TOPIC, "sensor_msgs/msg/Image", plain(1.0, pixels, encoding))])
    with pytest.raises(OutlapError, match=words):
        replay(load_policy(constant_policy(0.8, 1.5)), Recording(path), car)


@pytest.mark.parametrize("change", [{"position": []}, {"velocity": [1.0]}])
def test_a_motor_state_that_says_nothing_is_left_out(
    foreign: Foreign, constant_policy: Constant, car: Car, change: dict[str, Any]
) -> None:
    topic, kind, content = sent(car, 0, 0.5, 1.0)
    entries = [view(0, VIEWS[0]), (topic, kind, content | change), view(1, VIEWS[1]), sent(car, 1, 0.5, 1.0)]
    result, _ = replay(load_policy(constant_policy(0.8, 1.5)), Recording(foreign(entries)), car)
    assert result.compared == 1
    assert "says nothing of the driving" in result.problems[0]


def test_a_car_file_kept_in_a_recording_is_read_like_any_other(foreign: Foreign, car: Car) -> None:
    recording = Recording(foreign([view(0, VIEWS[0])]))
    assert recorded_car(recording) is None
    recording.metadata["outlap"] = {"car_file": car.model_dump_json()}
    assert recorded_car(recording) == car
    for text, words in (("{", "is not valid YAML"), ("name: x\nspeed: 1\n", "is refused: ")):
        recording.metadata["outlap"] = {"car_file": text}
        with pytest.raises(OutlapError, match=words):
            recorded_car(recording)


def test_paths_are_drawn_to_the_side_that_they_lead_to() -> None:
    both = np.array([-1.0, 1.0]), np.array([1.0, 1.0])
    picture = draw_both(np.zeros((48, 80), np.uint8), View(), 0.1, "", *both)
    floor = picture[: 48 * 8].astype(int)
    yellow = np.argwhere((floor[..., 0] > 200) & (floor[..., 2] < 60))
    blue = np.argwhere((floor[..., 2] > 200) & (floor[..., 0] < 60))
    middle = 40 * 8
    assert yellow[:, 1].mean() > middle + 20  # to the right
    assert blue[:, 1].mean() < middle - 20
    assert yellow[:, 0].min() > 48 * 8 * 0.2  # on the floor, below the horizon
    straight = draw_both(np.zeros((48, 80), np.uint8), View(), 0.1, "", np.full(2, np.nan), np.array([0.0, 1.0]))
    line = np.argwhere(straight[: 48 * 8, :, 2] > 200)
    assert abs(line[:, 1].mean() - middle) < 6


def within(namespace: str, entries: list[Entry]) -> list[Entry]:
    """The same as a graph under a namespace publishes it."""
    return [(f"{namespace}{topic}", kind, content) for topic, kind, content in entries]


def test_a_recording_made_under_a_namespace_is_compared_alike(
    foreign: Foreign, constant_policy: Constant, car: Car
) -> None:
    policy = load_policy(constant_policy(0.8, 1.5))
    entries = [entry for row in range(30) for entry in (view(row, VIEWS[row]), sent(car, row, 0.5, 1.0))]
    plain_result, plain_curves = replay(policy, Recording(foreign(entries)), car)
    result, curves = replay(policy, Recording(foreign(within("/team/car1", entries))), car)
    assert (result.pictures, result.against) == ("/team/car1/camera/image", "/team/car1/motor/state")
    assert result.curvature_rms == plain_result.curvature_rms
    np.testing.assert_array_equal(curves.recorded, plain_curves.recorded)


def test_another_cars_commands_say_nothing_of_this_ones(foreign: Foreign, constant_policy: Constant, car: Car) -> None:
    policy = load_policy(constant_policy(0.8, 1.5))
    own = [entry for row in range(10) for entry in (view(row, VIEWS[row]), twist("/cmd_vel", row, 0.1, 2.0))]
    others = within("/car1", [sent(car, row, 3.0, 1.0) for row in range(10)])
    result, _ = replay(policy, Recording(foreign([*own, *others])), car)
    assert (result.pictures, result.against) == (VIEW_TOPIC, "/cmd_vel")


def test_pictures_of_several_cars_are_refused_by_name(foreign: Foreign, constant_policy: Constant, car: Car) -> None:
    views_of_two = [
        entry for row in range(3) for name in ("/b", "/a") for entry in within(name, [view(row, VIEWS[row])])
    ]
    with pytest.raises(OutlapError, match="/a/camera/image, /b/camera/image are recorded, of several cars"):
        replay(load_policy(constant_policy(0.8, 1.5)), Recording(foreign(views_of_two)), car)
