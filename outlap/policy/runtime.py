"""Runs a policy: one inference, and the memory of frames and commands around it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from outlap.errors import OutlapError
from outlap.policy.contract import Contract
from outlap.policy.observation import frames_to_tensor

MAX_GAP = 0.5  # s between frames; after a longer silence the old frames say nothing about the motion
CHUNK = 32  # rows of a large batch inferred at once: activations then stay in the cache

Floats = NDArray[np.float32]


class Command(NamedTuple):
    """What a policy wants."""

    curvature: float  # 1/m, left positive
    speed: float  # m/s


class Policy:
    """A verified network with its contract; get one from :func:`outlap.policy.file.load_policy`."""

    def __init__(self, network: bytes, contract: Contract, digest: str = "", path: Path | None = None) -> None:
        """Open ``network`` (an ONNX model's bytes) on one thread.

        Raises:
            OutlapError: onnxruntime refuses the network.
        """
        self.contract = contract
        self.digest = digest  # SHA-256, 64 hexadecimal characters
        self.path = path
        options = onnxruntime.SessionOptions()
        # One thread: the nodes of a car share few cores, and a network this small gains nothing from more.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.log_severity_level = 4  # what goes wrong is raised, not printed
        options.add_session_config_entry("session.load_model_format", "ONNX")
        try:
            self._session = onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's errors have no common base
            reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise OutlapError(f"{path or 'the network'}: onnxruntime refuses the network: {reason}.") from error

    def infer(self, frames: Floats, commands: Floats) -> Floats:
        """Actions (N, 2) float32, curvature in 1/m and speed in m/s.

        Args:
            frames: (N, T, H, W) float32 from ``frames_to_tensor``, in the order of the contract's frame_offsets.
            commands: (N, K, 2) float32, past commands, newest first, as parts of their limits.
        """
        actions = np.empty((len(frames), 2), np.float32)
        for first in range(0, len(frames), CHUNK):
            rows = slice(first, first + CHUNK)
            output = self._session.run(["action"], {"frames": frames[rows], "commands": commands[rows]})[0]
            actions[rows] = cast(Floats, output)
        return actions


class BatchDriver:
    """Drives ``n`` cars at once, each with its own memory.

    After a start or a reset the first picture stands in for all earlier ones, and the past commands are zero, as of
    a car at rest.
    """

    def __init__(self, policy: Policy, n: int) -> None:
        self.policy = policy
        contract = policy.contract
        self._shape = (n, *contract.frames_shape[1:])
        self._offsets = np.asarray(contract.observation.frame_offsets)
        # A ring of levelled pictures: (slots, n, H, W), the newest at slot `_newest`.
        self._ring = np.zeros((int(self._offsets.max()) + 1, *self._shape), np.float32)
        self._newest = 0
        self._commands = np.zeros((n, *contract.commands_shape), np.float32)
        self._fresh = np.ones(n, bool)  # cars whose next picture is their first
        self._scale = np.array([contract.action.curvature_limit, contract.action.speed_limit], np.float32)

    def reset(self, mask: NDArray[np.bool_] | None = None) -> None:
        """Forget the past of the cars in ``mask`` (n,) bool, or of all."""
        self._fresh |= np.ones_like(self._fresh) if mask is None else np.asarray(mask, bool)

    def keep(self, rows: NDArray[np.int64]) -> None:
        """From now on drive only the cars ``rows`` (k,), in this order."""
        self._shape = (len(rows), *self._shape[1:])
        self._ring, self._commands, self._fresh = self._ring[:, rows], self._commands[rows], self._fresh[rows]

    def act(self, images: NDArray[np.uint8]) -> Floats:
        """Actions (n, 2) float32, curvature in 1/m and speed in m/s, for the canonical views (n, H, W) uint8.

        To be called once a period (1 / rate_hz) of every car.

        Raises:
            OutlapError: the pictures are not of the contract's size.
        """
        if images.shape != self._shape:
            raise OutlapError(
                f"the policy needs {self._shape[0]} pictures of {self._shape[2]}x{self._shape[1]} pixels, one "
                f"channel; an array of shape {images.shape} came."
            )
        self._newest = (self._newest + 1) % len(self._ring)
        slots = (self._newest - self._offsets) % len(self._ring)
        action = np.empty((len(images), 2), np.float32)
        for first in range(0, len(images), CHUNK):  # all of a chunk's way, so that it stays in the cache
            rows = slice(first, first + CHUNK)
            ring, fresh = self._ring[:, rows], self._fresh[rows]
            ring[self._newest] = frames_to_tensor(images[rows])
            if fresh.any():
                ring[:, fresh] = ring[self._newest, fresh]
                self._commands[rows][fresh] = 0
            frames = np.stack([ring[slot] for slot in slots], axis=1)
            action[rows] = self.policy.infer(frames, self._commands[rows])
        self._fresh[:] = False
        self._commands[:, 1:] = self._commands[:, :-1]
        # A command that is not finite or beyond its limits is the safety gate's to refuse; the network must not see
        # it again and stay poisoned.
        self._commands[:, 0] = np.nan_to_num(np.clip(action / self._scale, (-1, 0), (1, 1)))
        return action


class Driver:
    """Drives one car from its stamped pictures: a batch of one that also watches time.

    Args:
        policy: the policy.
        every: how many pictures there are for each command, see :meth:`Contract.pictures_a_command`.
    """

    def __init__(self, policy: Policy, every: int = 1) -> None:
        self.policy = policy
        self._batch = BatchDriver(policy, 1)
        self._stamp: float | None = None
        # s after a command, within which pictures lie between two: told by stamps, so that a lost one shifts nothing.
        self._between = (every - 0.5) / every / policy.contract.rate_hz if every > 1 else 0.0

    def reset(self) -> None:
        """Forget all earlier pictures and commands."""
        self._batch.reset()
        self._stamp = None

    def exchange(self, policy: Policy) -> None:
        """Drive on with another policy from the next picture, with the memory as it is.

        Raises:
            OutlapError: the policy's contract is another one; the old policy drives on.
        """
        self.policy.contract.check_exchange(policy.contract, str(policy.path or "the policy"))
        self.policy = self._batch.policy = policy

    def due(self, stamp: float) -> bool:
        """Whether a picture exposed at ``stamp`` s is to be acted on: none that lies between two commands is."""
        return self._stamp is None or not 0 < stamp - self._stamp < self._between

    def act(self, stamp: float, image: NDArray[np.uint8]) -> Command:
        """The command for the canonical view ``image`` (H, W) uint8, exposed at ``stamp`` seconds, which is due.

        Memory restarts when stamps stand still, go back, or leave a gap of more than 0.5 s.

        Raises:
            OutlapError: the picture is not of the contract's size.
        """
        if self._stamp is not None and not 0 < stamp - self._stamp <= MAX_GAP:
            self._batch.reset()
        curvature, speed = self._batch.act(image[None])[0]
        self._stamp = stamp
        return Command(float(curvature), float(speed))
