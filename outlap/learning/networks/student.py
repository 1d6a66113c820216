"""The student: a small convolutional network from pictures and its last commands to curvature and speed."""

from __future__ import annotations

import io
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from outlap.learning.networks.precision import autocast
from outlap.learning.settings import StudentConfig
from outlap.policy.contract import Action, Observation

ACTION_WEIGHTS = torch.tensor([2.0, 0.5])  # of the squared errors of curvature and speed, as parts of their limits
# What the student also has to predict while it learns (never exported): it makes the features say where the car is.
PATCH = 4  # pixels across and down, that the first convolution takes at once
AUXILIARY = ("left", "right", "turn", "bend", "speed", "yaw rate")


Module = TypeVar("Module", bound=nn.Module)


class Student(nn.Module):
    """frames (N, T, H, W), commands (N, K, 2) -> action (N, 2) in -1 … 1 and auxiliary predictions (N, 6).

    Given a ``table`` (k, 2) of actions, it gives scores (N, k) of them instead of an action.
    """

    table: torch.Tensor | None

    def __init__(
        self, config: StudentConfig, observation: Observation, table: NDArray[np.float64] | None = None
    ) -> None:
        super().__init__()
        self.register_buffer("table", None if table is None else torch.from_numpy(table).float())
        outputs = 2 if table is None else len(table)
        layers: list[nn.Module] = []
        before = len(observation.frame_offsets)
        for channels in config.channels:
            # Patches first: a quarter of the size at once costs a third of two convolutions that each halve it.
            first = not layers
            convolution = nn.Conv2d(before, channels, PATCH, PATCH) if first else nn.Conv2d(before, channels, 3, 2, 1)
            layers += [convolution, nn.ReLU()]
            before = channels
        self.first_row = config.first_row
        self.features = nn.Sequential(*layers, nn.Flatten())
        with torch.no_grad():
            view = observation.view
            seen = torch.zeros(1, len(observation.frame_offsets), view.height - self.first_row, view.width)
            width = self.features(seen).shape[1]
        self.picture = nn.Sequential(nn.Linear(width, config.hidden), nn.ReLU())
        self.auxiliary = nn.Linear(config.hidden, len(AUXILIARY))
        self.joint = nn.Sequential(
            nn.Linear(config.hidden + 2 * observation.commands, config.hidden),
            nn.ReLU(),
            nn.Linear(config.hidden, outputs),
        )

    def forward(self, frames: torch.Tensor, commands: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The action, not yet clipped, or the scores, and the auxiliary predictions."""
        return self._decide(self._see(frames), commands)

    def quickly(self, frames: torch.Tensor, commands: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The same, seen in half precision where the processor has it: for learning, not for the exported file."""
        with autocast():
            seen = self.picture(self.features[1:](self._patches(frames[:, :, self.first_row :])))
        return self._decide(seen.float(), commands)

    def _patches(self, frames: torch.Tensor) -> torch.Tensor:
        """What the first convolution gives, as one product: its own gradient is slow with so few channels."""
        first = self.features[0]
        assert isinstance(first, nn.Conv2d)
        n, pictures, height, width = frames.shape
        rows, columns = height // PATCH, width // PATCH
        whole = frames[:, :, : rows * PATCH, : columns * PATCH].reshape(n, pictures, rows, PATCH, columns, PATCH)
        patches = whole.permute(0, 2, 4, 1, 3, 5).reshape(n, rows, columns, pictures * PATCH * PATCH)
        return functional.linear(patches, first.weight.flatten(1), first.bias).permute(0, 3, 1, 2)

    def _see(self, frames: torch.Tensor) -> torch.Tensor:
        return self.picture(self.features(frames[:, :, self.first_row :]))

    def _decide(self, seen: torch.Tensor, commands: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.joint(torch.cat([seen, commands.flatten(1)], dim=1)), self.auxiliary(seen)

    def decided(self, output: torch.Tensor) -> torch.Tensor:
        """Actions (N, 2) in -1 … 1 of what the network gives."""
        return output.clamp(-1, 1) if self.table is None else self.table[output.argmax(1)]

    def imitation_loss(self, output: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
        """How far what the network gives is from actions (N, 2): weighted square, or cross-entropy of the choice."""
        if self.table is None:
            return (output - action).square().mean(0) @ ACTION_WEIGHTS
        return nn.functional.cross_entropy(output, torch.cdist(action, self.table).argmin(1))


class Exported(nn.Module):
    """The student with its output in the policy file's units."""

    table: torch.Tensor | None

    def __init__(self, student: Student, action: Action) -> None:
        super().__init__()
        self.student = student
        table = None if action.table is None else torch.tensor(action.table)
        self.register_buffer("table", table)
        half = (action.speed_limit - action.speed_min) / 2
        self.register_buffer("scale", torch.tensor([action.curvature_limit, half]))
        self.register_buffer("middle", torch.tensor([0.0, action.speed_min + half]))

    def forward(self, frames: torch.Tensor, commands: torch.Tensor) -> torch.Tensor:
        output = self.student(frames, commands)[0]
        if self.table is not None:
            return self.table[output.argmax(1)]
        return output.clamp(-1, 1) * self.scale + self.middle


def laid_out(module: Module, memory_format: torch.memory_format) -> Module:
    """``module`` with its weights in that order in memory."""
    return module.to(memory_format=memory_format)  # type: ignore[call-overload]  PyTorch documents it, unannotated


def export(student: Student, observation: Observation, action: Action) -> bytes:
    """The student as an ONNX model with the policy file's signature; the weights lie inside."""
    view = observation.view
    frames = torch.zeros(1, len(observation.frame_offsets), view.height, view.width)
    commands = torch.zeros(1, observation.commands, 2)
    module = laid_out(Exported(student, action), torch.contiguous_format).eval()
    target = io.BytesIO()
    torch.onnx.export(
        module,
        (frames, commands),
        target,  # type: ignore[arg-type]  annotated for the other exporter, which takes no streams
        input_names=["frames", "commands"],
        output_names=["action"],
        dynamic_axes={"frames": {0: "N"}, "commands": {0: "N"}, "action": {0: "N"}},
        opset_version=17,
        dynamo=False,  # the other exporter may put weights into a second file
    )
    return target.getvalue()
