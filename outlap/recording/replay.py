"""Runs a policy over a recording, and compares what it wants with what was really sent to the motor."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import yaml
from numpy.typing import NDArray

from outlap.camera.warp import Warp
from outlap.errors import OutlapError
from outlap.files import YAML_LOADER, Model, validate
from outlap.policy.runtime import MAX_GAP, Driver, Policy
from outlap.recording import names
from outlap.recording.images import Picture, read_images, to_nanoseconds
from outlap.recording.read import Message, Recording
from outlap.recording.tape import OWN
from outlap.vehicle.car import Car
from outlap.vehicle.command import STANDSTILL, driven_curvature

# What says how the car was driven, the best first: what reached the motor, then what it was told.
SOURCES = {
    names.MOTOR_STATE: "sent to the motor",
    names.HAND_COMMAND: "a person's commands",
    names.COMMAND: "the policy's commands",
}
LATEST = 500_000_000  # ns; what was sent longer ago than this says nothing of a picture
WORST, APART = 8, 2.0  # places that are told, and s between two of them

Floats = NDArray[np.float64]


class Place(Model):
    """A moment in which the policy would have steered otherwise."""

    time_s: float  # since the recording's beginning
    curvature: tuple[float, float]  # 1/m, recorded and the policy's
    speed: tuple[float, float]  # m/s, likewise


class Result(Model):
    """How a policy steers over a recording, against what was recorded."""

    recording: str
    policy: str
    digest: str
    recorded_digest: str  # of the policy that drove, where one is known
    car: str
    pictures: str  # topic
    against: str  # topic, or empty where nothing was recorded to compare with
    frames: int
    restarts: int  # of the policy's memory, at gaps of more than 0.5 s
    compared: int  # frames in which the car was driven and the policy's answer is finite
    curvature_rms: float  # 1/m, of the difference
    curvature_bias: float  # 1/m, its mean, positive where the policy wants further to the left
    curvature_p95: float  # 1/m, below which 95% of the differences lie
    speed_rms: float  # m/s
    worst: list[Place]
    problems: list[str]


class Driven(NamedTuple):
    """What was recorded to be done at one time."""

    received: int  # ns
    stamp: int  # ns; that of the picture it answers, where a policy drives
    curvature: float  # 1/m, left positive
    speed: float  # m/s


@dataclass(frozen=True)
class Curves:
    """Recorded and wanted, over the pictures (n,); NaN where unknown.

    Attributes:
        time: s since the recording's beginning.
        recorded, wanted: (n, 2) curvature in 1/m, left positive, and speed in m/s.
    """

    time: Floats
    recorded: Floats
    wanted: Floats

    @property
    def compared(self) -> NDArray[np.bool_]:
        """(n,) where the car was driven, and both are known."""
        known = np.isfinite(self.recorded).all(axis=1) & np.isfinite(self.wanted).all(axis=1)
        return known & (np.abs(np.nan_to_num(self.recorded[:, 1])) >= STANDSTILL)


def views(recording: Recording, policy: Policy, car: Car, raw: bool) -> Iterator[Picture]:
    """The recorded canonical views; with ``raw`` those that ``car``'s calibration makes of the camera's own frames.

    Raises:
        OutlapError: there are none; or, at a picture, that it does not fit the car or the policy.
    """
    pictures = read_images(recording, _picture_topic(recording, raw))
    warp = Warp(car.camera, policy.contract.observation.view) if raw else None
    return _checked(pictures, warp, recording)


def replay(
    policy: Policy,
    recording: Recording,
    car: Car,
    raw: bool = False,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[Result, Curves]:
    """Show a recording's pictures to ``policy``, as its node would, and compare.

    Args:
        policy: the policy.
        recording: with pictures, and what the car did.
        car: the car that was recorded: its wheelbase and wheels, and with ``raw`` its calibration.
        raw: whether to make the canonical views anew from the camera's own frames.
        report: called with pictures done and their total.

    Raises:
        OutlapError: the recording has no such pictures, or they do not fit the policy or the car.
    """
    topic = _picture_topic(recording, raw)
    pictures = views(recording, policy, car, raw)
    total = recording.topics[topic].messages
    driver = Driver(policy, policy.contract.pictures_a_command(car))
    stamps: list[int] = []
    received: list[int] = []
    wanted: list[tuple[float, float]] = []
    for picture in pictures:
        stamp = picture.stamp * 1e-9
        wanted.append(driver.act(stamp, picture.pixels) if driver.due(stamp) else (math.nan, math.nan))
        stamps.append(picture.stamp)
        received.append(picture.received)
        report(len(stamps), total)
    if not stamps:
        raise OutlapError(
            f"{recording.path}: not one picture on {topic} can be used. {' '.join(recording.problems[:1])}"
        )
    place = topic.removesuffix(names.RAW if raw else names.VIEW)  # the namespace of the car that saw this
    against = next((place + source for source in SOURCES if place + source in recording.topics), "")
    driven = sorted(_driven(recording, against, car)) if against else []
    curves = Curves(
        time=(np.array(received) - recording.begin) * 1e-9,
        recorded=_answers(stamps, received, driven),
        wanted=np.array(wanted, dtype=float),
    )
    steps = np.diff(np.array(stamps)) * 1e-9
    return _result(
        policy, recording, car, curves, topic, against, int(((steps <= 0) | (steps > MAX_GAP)).sum())
    ), curves


def source_words(topic: str) -> str:
    """What a topic of :data:`SOURCES` says, in words; empty for none."""
    return next((words for name, words in SOURCES.items() if names.is_named(topic, name)), "")


def _picture_topic(recording: Recording, raw: bool) -> str:
    """The topic of the pictures to use, in whatever namespace it was recorded."""
    name = names.RAW if raw else names.VIEW
    return names.find_topic(recording.topics, name) or f"/{name}"


def _checked(pictures: Iterator[Picture], warp: Warp | None, recording: Recording) -> Iterator[Picture]:
    for picture in pictures:
        if warp is not None:
            yield picture._replace(pixels=warp(picture.pixels))
        elif picture.pixels.ndim == 2:
            yield picture
        else:
            raise OutlapError(
                f"{recording.path}: the pictures on the canonical view's topic are coloured, no canonical view is."
            )


def _driven(recording: Recording, topic: str, car: Car) -> Iterator[Driven]:
    """What a topic says of how the car was driven; what cannot be decoded is left out and told of."""
    for message in recording.messages((topic,)):
        try:
            state = names.is_named(topic, names.MOTOR_STATE)
            stamp, curvature, speed = _state(recording, message, car) if state else _twist(recording, message)
        except OutlapError as error:
            if str(error) not in recording.problems:
                recording.problems.append(str(error))
            continue
        yield Driven(message.received, stamp, curvature, speed)


def _state(recording: Recording, message: Message, car: Car) -> tuple[int, float, float]:
    """Stamp, curvature and speed of a sensor_msgs/JointState: the steering angle in rad, the wheel speed in rad/s."""
    stamp, angle, turning = _numbers(recording, message, lambda content: (content.position[0], content.velocity[1]))
    return stamp, car.curvature(angle), car.speed(turning)


def _twist(recording: Recording, message: Message) -> tuple[int, float, float]:
    stamp, speed, turning = _numbers(
        recording, message, lambda content: (content.twist.linear.x, content.twist.angular.z)
    )
    return stamp, driven_curvature(speed, turning), speed


def _numbers(
    recording: Recording, message: Message, read: Callable[[Any], tuple[Any, Any]]
) -> tuple[int, float, float]:
    """A message's stamp in ns, and what ``read`` finds in its content."""
    content = recording.decode(message)
    try:
        first, second = read(content)
        return to_nanoseconds(content), float(first), float(second)
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise OutlapError(f"{recording.path}: a message on {message.topic} says nothing of the driving.") from error


def _answers(stamps: list[int], received: list[int], driven: list[Driven]) -> Floats:
    """(n, 2) of what was done about each picture: what bears its stamp, or else what was sent last before the next."""
    by_stamp = {one.stamp: one for one in driven}  # the last of each: the motor comes up to it in steps
    times = [one.received for one in driven]
    found = np.full((len(stamps), 2), np.nan)
    for row, (stamp, at) in enumerate(zip(stamps, received, strict=True)):
        answer = by_stamp.get(stamp)
        if answer is None:
            until = min([at + LATEST, *received[row + 1 : row + 2]])
            place = bisect_left(times, until) - 1
            answer = driven[place] if place >= 0 and at - times[place] <= LATEST else None
        if answer is not None:
            found[row] = answer.curvature, answer.speed
    return found


def _result(
    policy: Policy, recording: Recording, car: Car, curves: Curves, topic: str, against: str, restarts: int
) -> Result:
    compared = curves.compared
    gap = (curves.wanted - curves.recorded)[compared]
    sizes = np.abs(gap[:, 0]) if len(gap) else np.zeros(1)
    facts = recording.metadata.get(OWN, {})
    return Result(
        recording=str(recording.path),
        policy=str(policy.path or ""),
        digest=policy.digest,
        recorded_digest=facts.get("policy_digest", ""),
        car=car.name,
        pictures=topic,
        against=against,
        frames=len(curves.time),
        restarts=restarts,
        compared=len(gap),
        curvature_rms=float(np.sqrt((sizes**2).mean())),
        curvature_bias=float(gap[:, 0].mean()) if len(gap) else 0.0,
        curvature_p95=float(np.percentile(sizes, 95)),
        speed_rms=float(np.sqrt((gap[:, 1] ** 2).mean())) if len(gap) else 0.0,
        worst=_worst(curves),
        problems=recording.problems,
    )


def _worst(curves: Curves) -> list[Place]:
    """The moments of largest difference in curvature, the worst first, none too near to a worse one."""
    gap = np.where(curves.compared, np.abs(curves.wanted[:, 0] - curves.recorded[:, 0]), -1.0)
    chosen: list[int] = []
    for row in np.argsort(-gap, kind="stable").tolist():
        if gap[row] < 0 or len(chosen) == WORST:
            break
        if all(abs(curves.time[row] - curves.time[other]) >= APART for other in chosen):
            chosen.append(row)
    pairs = np.stack([curves.recorded, curves.wanted], axis=1)  # (n, recorded or wanted, curvature or speed)
    return [
        Place(time_s=float(curves.time[row]), curvature=tuple(pairs[row, :, 0]), speed=tuple(pairs[row, :, 1]))
        for row in chosen
    ]


def recorded_car(recording: Recording) -> Car | None:
    """The car whose file is kept in a recording; None where none is.

    Raises:
        OutlapError: the file is refused.
    """
    text = recording.metadata.get(OWN, {}).get("car_file")
    if not text:
        return None
    where = f"the car file kept in {recording.path}"
    try:
        content = yaml.load(text, Loader=YAML_LOADER)
    except yaml.YAMLError as error:
        raise OutlapError(f"{where} is not valid YAML: give the car with --car.") from error
    return validate(content, Car, where, "car file")
