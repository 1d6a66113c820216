"""What each node says of itself on ``diagnostics``: one model a speaker, which the speaker fills in and readers parse.

    say:   Diagnostics(node, lambda: (OK, "driving", PolicyStatus(...)))
    hear:  for heard in self._reader.read(message): match heard.values: case MotorStatus(state=state): ...

A model's fields are the status's keys, in their order. Numbers and words cross as text, as ROS has it.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, ClassVar, NamedTuple, Self

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from rclpy.node import Node

# A number, or None where nothing was measured yet.
Measured = Annotated[float | None, BeforeValidator(lambda value: None if value == "None" else value)]


class NodeStatus(BaseModel):
    """The values of one node's status; keys that a model does not have are kept in ``more``, and follow the others."""

    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=True)
    speaker: ClassVar[str]  # the node's name, in any namespace

    @property
    def more(self) -> Mapping[str, Any]:
        """Values beyond the model's own: what an actuator says of itself, a training run's measures."""
        return self.__pydantic_extra__ or {}

    def texts(self) -> list[KeyValue]:
        """The values as they are published; an optional one that was not given is left out."""
        given = [name for name in type(self).model_fields if name in self.model_fields_set]
        values = {name: getattr(self, name) for name in given} | dict(self.more)
        return [KeyValue(key=key, value=_text(value)) for key, value in values.items()]

    @classmethod
    def parse(cls, status: DiagnosticStatus) -> Self:
        """The values of a status that was heard.

        Raises:
            ValidationError: a key is missing, or its text is none of that type.
        """
        return cls.model_validate({value.key: value.value for value in status.values})


class MotorStatus(NodeStatus):
    """The motor; more: what its actuator says of itself."""

    speaker = "motor"
    state: str  # armed, disarmed, fault
    reason: str  # why it is not driving; empty while it is
    car: str  # its car file
    tick_hz: float
    tick_ms_p99: float
    speed: float  # m/s, sent
    steering: float  # rad, sent


class PolicyStatus(NodeStatus):
    """The policy."""

    speaker = "policy"
    rate_hz: float
    inference_ms: float
    digest: str  # of the policy that drives; empty: none yet
    too_slow: str = ""  # why the car must not go on by it: pictures come far too seldom
    taken: int = 0  # policies, where it exchanges them
    refused: str = ""  # likewise: what is wrong with the file that lies there


class CameraStatus(NodeStatus):
    """The camera."""

    speaker = "camera"
    rate_hz: float
    coverage: float  # part of the canonical view that the lens sees


class HandStatus(NodeStatus):
    """What makes commands of a joystick."""

    speaker = "hand"
    limit: float  # m/s
    drives: bool


class JoystickStatus(NodeStatus):
    """The joystick's device."""

    speaker = "joystick"
    device: str
    axes: int
    buttons: int
    pad: str = ""  # who it is; empty: none is there
    layout: str = ""  # how it is read on /gamepad; empty: not at all


class SimulatorStatus(NodeStatus):
    """The built-in simulator."""

    speaker = "simulator"
    real_time_factor: float
    time_s: float


class GazeboStatus(NodeStatus):
    """What runs Gazebo."""

    speaker = "gazebo"
    partition: str


class GazeboPortStatus(NodeStatus):
    """What stands between Gazebo and the graph."""

    speaker = "gazebo_port"
    real_time_factor: float
    time_s: float
    set_pose: bool  # whether Gazebo's service is there


class GazeboRandomizerStatus(NodeStatus):
    """What changes Gazebo's scenery."""

    speaker = "gazebo_randomizer"
    changes: int
    scenes: int  # drawn
    refused: int


class RefereeStatus(NodeStatus):
    """The referee."""

    speaker = "referee"
    phase: str
    laps: int
    streak: int
    frame_to_actuator_ms_p50: Measured
    frame_to_actuator_ms_p99: Measured


class TrainerStatus(NodeStatus):
    """The trainer; more: its stage, how far that is, and the run's own measures, as far as they are known."""

    speaker = "trainer"
    state: str  # starting, training, paused, finished


class ViewerStatus(NodeStatus):
    """The page that shows a graph."""

    speaker = "viewer"
    address: str


class RecorderStatus(NodeStatus):
    """The recorder, after outlap.recording.spool.Status."""

    speaker = "recorder"
    messages: int
    bytes: int
    dropped: int
    lost: int
    waiting: int
    removed: int
    paused: str
    folder: str
    seconds: float
    rate_hz: float


class Heard(NamedTuple):
    """One speaker's words."""

    values: NodeStatus
    level: bytes
    text: str
    where: str  # it runs: its process and computer


class StatusReader:
    """Reads messages of ``diagnostics``, for those speakers that somebody is interested in.

    A status that lacks a key or has another type is as good as not heard: it is left out, and told of once.
    """

    def __init__(self, topic: str, say: Callable[[str], object], *kinds: type[NodeStatus]) -> None:
        """Read the statuses of ``kinds`` on ``topic``; ``say`` is given a sentence for one that cannot be used."""
        self._topic, self._say = topic, say
        self._kinds = {kind.speaker: kind for kind in kinds}
        self._told: dict[str, str] = {}  # by speaker: the sentence

    def read(self, message: DiagnosticArray) -> Iterator[Heard]:
        """The statuses of a message that can be used, in their order."""
        for status in message.status:
            kind = self._kinds.get(status.name)
            if kind is None:
                continue
            try:
                values = kind.parse(status)
            except ValidationError as error:
                sentence = _sentence(status.name, self._topic, error)
                if self._told.get(status.name) != sentence:
                    self._told[status.name] = sentence
                    self._say(sentence)
                continue
            self._told.pop(status.name, None)
            yield Heard(values, status.level, status.message, status.hardware_id)


def to_message(node: Node, level: bytes, text: str, values: NodeStatus) -> DiagnosticArray:
    """A node's status as ROS carries it, stamped now."""
    where = f"process {os.getpid()} on {socket.gethostname()}"
    status = DiagnosticStatus(level=level, name=node.get_name(), message=text, hardware_id=where, values=values.texts())
    array = DiagnosticArray(status=[status])
    array.header.stamp = node.get_clock().now().to_msg()
    return array


def _sentence(speaker: str, topic: str, error: ValidationError) -> str:
    problem = error.errors()[0]
    key = ".".join(str(part) for part in problem["loc"])
    wrong = f"lacks {key!r}" if problem["type"] == "missing" else f"has {key!r} = {str(problem['input'])[:40]!r}"
    return f"a status of {speaker!r} on {topic} cannot be used and is passed over: it {wrong}"


def _text(value: object) -> str:
    # Neither a loss of 0.0012 nor a time of 12345.67 s may lose what counts.
    if isinstance(value, float):
        return f"{value:.{4 if abs(value) < 1 else 2}f}"
    return str(value)
