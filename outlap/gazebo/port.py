"""What stands between Gazebo and the port that every simulator offers: one decision per odometry message.

Gazebo moves joints; the port has a single-track steering angle and one wheel speed. Gazebo puts a model elsewhere with
the speed that it has, and its odometry then reports the jump as a speed; the port puts a car somewhere at rest.
"""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

from outlap.errors import OutlapError
from outlap.gazebo.wheels import Actuators, JointCommands, Slide
from outlap.vehicle.car import Car

REST = 0.02  # m/s, and at a wheelbase's distance as much of turning: below it a car stands
NEAR = 0.02  # m and rad, from where it was put
ASK_AGAIN = 0.2  # s of simulated time between two requests to put the car somewhere
GIVE_UP = 2.0  # s of simulated time; a car that was put into a wall never stands where it was put
WINDOW = 2.0  # s of steady time that the real-time factor is taken over


class Place(NamedTuple):
    """Where base_link is, or is to be put."""

    x: float  # m
    y: float  # m
    yaw: float  # rad


class Motion(NamedTuple):
    """How base_link moves, in its own frame."""

    speed: float  # m/s, ahead
    lateral_speed: float  # m/s, to the left
    yaw_rate: float  # rad/s


class Step(NamedTuple):
    """What an odometry message leads to."""

    joints: JointCommands  # what the joints are to do now
    put: Place | None  # ask Gazebo to put the car there
    shown: bool  # whether the message is passed on: not while the car is being put somewhere
    yaw_rate: float  # rad/s; Gazebo's own is wrong by a whole turn in one of its steps when the yaw passes pi


class Port:
    """One car in Gazebo. ``time`` is simulated, in s.

    Attributes:
        trouble: what went wrong when the car was last put somewhere; empty: nothing.
    """

    def __init__(self, car: Car) -> None:
        self._car = car
        self._actuators = Actuators(car)
        self._steering, self._wheel_speed = 0.0, 0.0  # rad, rad/s
        self._time, self._yaw = float("-inf"), 0.0  # s, rad, of the last message
        self._target: Place | None = None
        self._since = self._asked = float("-inf")  # s, when the target was heard of, and last asked for
        self.trouble = ""

    def steer(self, angle: float) -> None:
        """Take the single-track front wheel's angle (rad, left positive); one that is not finite is ignored."""
        if math.isfinite(angle):
            self._steering = angle

    def turn(self, wheel_speed: float) -> None:
        """Take the wheel speed (rad/s); one that is not finite is ignored."""
        if math.isfinite(wheel_speed):
            self._wheel_speed = wheel_speed

    def place(self, place: Place) -> None:
        """Begin to put the car somewhere, at rest; a place that is not finite is ignored."""
        if all(map(math.isfinite, place)):
            self._target = place
            self._since = self._asked = float("-inf")
            self._actuators.halt()

    def step(self, time: float, place: Place, motion: Motion) -> Step | None:
        """The car is at ``place`` with ``motion``; None when the time is the last message's once more.

        Raises:
            OutlapError: the time went back, because the world was reset.
        """
        if time < self._time:
            raise OutlapError(
                f"Gazebo's time went back from {self._time:.2f} to {time:.2f} s (was its world reset?): start it anew; "
                "to bring only the car back, send /sim/set_pose."
            )
        if time == self._time:
            return None
        elapsed = time - self._time if math.isfinite(self._time) else 0.0
        if elapsed:
            motion = motion._replace(yaw_rate=math.remainder(place.yaw - self._yaw, math.tau) / elapsed)
        self._time, self._yaw = time, place.yaw
        placing = self._target is not None
        put = self._put(time, place, motion)
        slide = None if placing else Slide(motion.lateral_speed, motion.yaw_rate)
        joints = self._actuators.step(elapsed, self._steering, 0.0 if placing else self._wheel_speed, slide)
        return Step(joints, put, not placing, motion.yaw_rate)

    def _put(self, time: float, place: Place, motion: Motion) -> Place | None:
        """Ask at once, brake to rest wherever that leads, and ask again, until the car stands where it should."""
        target = self._target
        if target is None:
            return None
        if not math.isfinite(self._since):
            self._since = self._asked = time
            return target
        away = max(
            math.hypot(place.x - target.x, place.y - target.y), abs(math.remainder(place.yaw - target.yaw, math.tau))
        )
        standing = math.hypot(*motion[:2]) < REST and abs(motion.yaw_rate) * self._car.axles.wheelbase < REST
        if standing and away < NEAR:
            self._target, self.trouble = None, ""
        elif time - self._since > GIVE_UP:
            self._target = None
            self.trouble = (
                f"the car was to be put at ({target.x:.2f}, {target.y:.2f}) m and {'stands' if standing else 'moves'} "
                f"at ({place.x:.2f}, {place.y:.2f}) m: is something in its way, and Gazebo's set_pose service bridged?"
            )
        elif standing and time - self._asked > ASK_AGAIN:
            self._asked = time
            return target
        return None


class RealTime:
    """How fast simulated time passes, against a steady clock that the caller reads."""

    def __init__(self) -> None:
        self._points: deque[tuple[float, float]] = deque()  # (steady, simulated) s

    def add(self, now: float, time: float) -> None:
        """Simulated time is ``time`` (s) at the steady time ``now`` (s)."""
        self._points.append((now, time))
        self._forget(now)

    def factor(self, now: float) -> float:
        """Simulated seconds per second over the last two; 0 when time stands still, or too little is known."""
        self._forget(now)
        if not self._points or now - self._points[0][0] < WINDOW / 4:
            return 0.0
        first, last = self._points[0], self._points[-1]
        return (last[1] - first[1]) / (now - first[0])

    def _forget(self, now: float) -> None:
        while self._points and now - self._points[0][0] > WINDOW:
            self._points.popleft()
