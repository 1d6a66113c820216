"""The student: a small convolutional network from two frames and its last commands to curvature and speed."""

from __future__ import annotations

import io
from typing import Annotated

import torch
from pydantic import Field
from torch import nn

from outlap.files import Model
from outlap.policy.contract import Action, Observation

# What the student also has to predict while it learns (never exported): it makes the features say where the car is.
AUXILIARY = ("left", "right", "turn", "bend", "speed", "yaw rate")


class StudentConfig(Model):
    """The network and what it sees."""

    frame_offsets: tuple[Annotated[int, Field(ge=0)], ...]  # frames back in time, newest first
    commands: Annotated[int, Field(ge=1)]  # past commands that it remembers
    channels: tuple[Annotated[int, Field(ge=1)], ...]  # of each convolution; each halves the picture
    hidden: Annotated[int, Field(ge=1)]  # width of the layer that joins picture and commands


class Student(nn.Module):
    """frames (N, T, H, W), commands (N, K, 2) -> action (N, 2) in -1 … 1 and auxiliary predictions (N, 6)."""

    def __init__(self, config: StudentConfig, observation: Observation) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = len(observation.frame_offsets)
        for index, channels in enumerate(config.channels):
            size = 5 if index == 0 else 3
            layers += [nn.Conv2d(before, channels, size, stride=2, padding=size // 2), nn.ReLU()]
            before = channels
        self.features = nn.Sequential(*layers, nn.Flatten())
        with torch.no_grad():
            view = observation.view
            width = self.features(torch.zeros(1, len(observation.frame_offsets), view.height, view.width)).shape[1]
        self.picture = nn.Sequential(nn.Linear(width, config.hidden), nn.ReLU())
        self.auxiliary = nn.Linear(config.hidden, len(AUXILIARY))
        self.joint = nn.Sequential(
            nn.Linear(config.hidden + 2 * observation.commands, config.hidden), nn.ReLU(), nn.Linear(config.hidden, 2)
        )

    def forward(self, frames: torch.Tensor, commands: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The action, not yet clipped, and the auxiliary predictions."""
        seen = self.picture(self.features(frames))
        return self.joint(torch.cat([seen, commands.flatten(1)], dim=1)), self.auxiliary(seen)


class _Exported(nn.Module):
    """The student with its output in the policy file's units."""

    def __init__(self, student: Student, action: Action) -> None:
        super().__init__()
        self.student = student
        half = (action.speed_limit - action.speed_min) / 2
        self.register_buffer("scale", torch.tensor([action.curvature_limit, half]))
        self.register_buffer("middle", torch.tensor([0.0, action.speed_min + half]))

    def forward(self, frames: torch.Tensor, commands: torch.Tensor) -> torch.Tensor:
        return self.student(frames, commands)[0].clamp(-1, 1) * self.scale + self.middle


def export(student: Student, observation: Observation, action: Action) -> bytes:
    """The student as an ONNX model with the policy file's signature; the weights lie inside."""
    view = observation.view
    frames = torch.zeros(1, len(observation.frame_offsets), view.height, view.width)
    commands = torch.zeros(1, observation.commands, 2)
    module = _Exported(student, action).eval().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    target = io.BytesIO()
    torch.onnx.export(
        module,
        (frames, commands),
        target,  # type: ignore[arg-type]
        input_names=["frames", "commands"],
        output_names=["action"],
        dynamic_axes={"frames": {0: "N"}, "commands": {0: "N"}, "action": {0: "N"}},
        opset_version=17,
        dynamo=False,  # the other exporter may put weights into a second file
    )
    return target.getvalue()
