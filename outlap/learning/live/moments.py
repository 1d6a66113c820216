"""Puts together what a live graph tells of one moment: picture, motion, the policy's memory, and what the motor did.

Messages come over several topics, each at its own pace; what belongs together is told by stamps. Nothing is guessed: a
picture that the car was not driven by, or whose place is not known, is dropped and counted.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from outlap.policy.contract import Contract
from outlap.policy.runtime import MAX_GAP
from outlap.vehicle import dynamics
from outlap.vehicle.car import Car
from outlap.vehicle.command import STANDSTILL
from outlap.vehicle.motion import Motion

SECOND = 1_000_000_000  # ns
PATIENCE = SECOND // 4  # of the simulator's time, that a picture waits for what belongs to it
APART = SECOND // 10  # between two odometry messages, beyond which nothing between them is known
HELD = 512  # messages of each topic that are remembered
STEP = 1 / 240  # s, of following the servo
ALIKE = 1e-3  # m/s between the commanded speed and the one sent, below which they are the same


class Moment(NamedTuple):
    """One picture by which the car was driven, and all that is known about then."""

    stamp: int  # ns
    picture: NDArray[np.uint8]  # (H, W) the canonical view
    commands: NDArray[np.float32]  # (K, 2) the policy's memory, newest first, as parts of the action's limits
    state: NDArray[np.float64]  # (7,) a row of outlap.vehicle.dynamics
    age: int  # moments before this one without a gap


class Pairing:
    """Collects messages, in any order between topics; times are ns of the simulator's clock.

    Attributes:
        taken: moments that became whole.
        dropped: pictures that were not driven by, or whose place is not known.
        ignored: messages that came late, twice, or hold something that is not finite.

    Args:
        car: the car.
        contract: of the policies that drive.
    """

    def __init__(self, car: Car, contract: Contract) -> None:
        self._car, self._limits = car, contract.action
        self._memory = contract.observation.commands
        self.taken = self.dropped = self.ignored = 0
        self._views: deque[tuple[int, NDArray[np.uint8]]] = deque(maxlen=HELD)
        self._odometry: deque[tuple[int, Motion]] = deque(maxlen=HELD)
        self._commands: OrderedDict[int, tuple[float, float]] = OrderedDict()
        self._sent: OrderedDict[int, tuple[float, float]] = OrderedDict()
        self._newest_view = 0
        self._last: tuple[int, int] | None = None  # stamp and age of the newest moment
        self._servo = (0, 0.0, 0.0)  # when, the wheel's angle then, and where it is steered to

    def view(self, stamp: int, picture: NDArray[np.uint8]) -> None:
        """The canonical view exposed at ``stamp``."""
        if stamp <= self._newest_view:
            self.ignored += 1
            return
        self._newest_view = stamp
        self._views.append((stamp, picture))

    def odometry(self, stamp: int, motion: Motion) -> None:
        """Where the car was at ``stamp``."""
        if not all(map(math.isfinite, motion)) or (self._odometry and stamp <= self._odometry[-1][0]):
            self.ignored += 1
            return
        self._odometry.append((stamp, motion))

    def command(self, stamp: int, curvature: float, speed: float) -> None:
        """The policy answered the view of ``stamp`` with ``curvature`` 1/m and ``speed`` m/s."""
        self._remember(self._commands, stamp, curvature, speed)

    def sent(self, stamp: int, steering: float, wheel_speed: float) -> None:
        """The motor sent ``steering`` rad and ``wheel_speed`` rad/s because of the view of ``stamp``."""
        self._remember(self._sent, stamp, steering, wheel_speed)

    def take(self) -> list[Moment]:
        """The moments that have become whole, in order; each is returned once."""
        moments: list[Moment] = []
        while self._views and self._odometry:
            stamp, picture = self._views[0]
            now = self._odometry[-1][0]
            whole = stamp <= now and stamp in self._commands and stamp in self._sent
            if not whole and now <= stamp + PATIENCE:
                break
            self._views.popleft()
            motion = self._motion(stamp) if whole and self._obeyed(stamp) else None
            if motion is None:
                self.dropped += 1
                continue
            moments.append(self._moment(stamp, picture, motion))
        self.taken += len(moments)
        return moments

    def _remember(self, store: OrderedDict[int, tuple[float, float]], stamp: int, one: float, other: float) -> None:
        # The motor repeats itself; what it did first is what the picture led to.
        if stamp in store or not (math.isfinite(one) and math.isfinite(other)):
            self.ignored += stamp not in store
            return
        store[stamp] = (one, other)
        while len(store) > HELD:
            store.popitem(last=False)

    def _obeyed(self, stamp: int) -> bool:
        """Whether the motor did what the policy wanted: it is armed, and nobody else steers."""
        (curvature, speed), (steering, wheel_speed) = self._commands[stamp], self._sent[stamp]
        if speed < STANDSTILL:
            return wheel_speed == 0
        alike = abs(self._car.speed(wheel_speed) - speed) < ALIKE
        return alike and abs(steering - self._car.steering_angle(curvature)) < ALIKE

    def _motion(self, stamp: int) -> Motion | None:
        """Where the car was at ``stamp``, between two odometry messages; None where that is not known."""
        after = next((index for index, (at, _) in enumerate(self._odometry) if at >= stamp), 0)
        (later, there) = self._odometry[after]
        if later == stamp:
            return there
        if not after:
            return None
        earlier, here = self._odometry[after - 1]
        if later - earlier > APART:
            return None
        part = (stamp - earlier) / (later - earlier)
        turn = (there.yaw - here.yaw + math.pi) % (2 * math.pi) - math.pi
        mixed = [a + part * (b - a) for a, b in zip(here, there, strict=True)]
        return Motion(*mixed)._replace(yaw=here.yaw + part * turn)

    def _moment(self, stamp: int, picture: NDArray[np.uint8], motion: Motion) -> Moment:
        earlier = self._before(stamp)
        commands = np.zeros((self._memory, 2), np.float32)
        for row, at in enumerate(earlier[: self._memory]):
            curvature, speed = self._commands[at]
            commands[row] = curvature / self._limits.curvature_limit, speed / self._limits.speed_limit
        # An earlier moment counts as the one before only where no picture is missing in between.
        follows = self._last is not None and earlier[:1] == [self._last[0]]
        age = self._last[1] + 1 if follows and self._last is not None else 0
        self._last = (stamp, age)
        state = np.zeros(dynamics.STATE_SIZE)
        state[[dynamics.X, dynamics.Y, dynamics.YAW]] = motion.x, motion.y, motion.yaw
        state[dynamics.SPEED], state[dynamics.YAW_RATE] = motion.speed, motion.yaw_rate
        state[dynamics.LATERAL] = motion.lateral_speed + self._car.body.centre_of_mass * motion.yaw_rate
        state[dynamics.STEERING] = self._steering(stamp)
        return Moment(stamp, picture, np.clip(commands, (-1, 0), (1, 1)).astype(np.float32), state, age)

    def _before(self, stamp: int) -> list[int]:
        """Stamps of the commands that the policy remembers at ``stamp``, newest first; a long silence ends them."""
        found: list[int] = []
        for at in reversed(self._commands):
            if at < stamp:
                if (found[-1] if found else stamp) - at > MAX_GAP * SECOND:
                    break
                found.append(at)
                if len(found) == self._memory:
                    break
        return found

    def _steering(self, stamp: int) -> float:
        """Angle of the front wheel at ``stamp``, rad: the car file's servo following what was sent before."""
        for at, (steering, _) in self._sent.items():
            if self._servo[0] <= at < stamp:
                self._follow(at)
                self._servo = (*self._servo[:2], steering)
        self._follow(stamp)
        return self._servo[1]

    def _follow(self, until: int) -> None:
        since, angle, wanted = self._servo
        steering = self._car.steering
        left = (until - since) / SECOND
        if left > 1:  # the first time, and after a pause
            angle, left = wanted, 0.0
        while left > 0:
            dt = min(left, STEP)
            rate = (wanted - angle) / steering.time_constant
            angle += dt * min(max(rate, -steering.max_rate), steering.max_rate)
            left -= dt
        self._servo = (until, angle, wanted)
