"""How the car of a live simulator corners, accelerates and brakes, against Outlap's own dynamics.

Starts Gazebo with nothing but a floor and the car, drives manoeuvres through the simulator's port, as every node does,
and compares ground truth with what `outlap.vehicle.dynamics` makes of the same commands:

skid pad    constant steering and speed until all is steady: curvature and sideways acceleration
step steer  from straight on to a bend at once: the yaw rate over time
straight    to a speed from standstill, and back: the speed over time

A command takes effect some steps of the port (each 1/120 s) after it was sent, as in every drive; for the step steer
that delay is found and told apart from the rest.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from outlap.errors import OutlapError
from outlap.launching.domain import claim_domain
from outlap.launching.environment import ros_environment
from outlap.vehicle.car import Car, load_car
from outlap.vehicle.dynamics import LATERAL, SPEED, STATE_SIZE, YAW_RATE, advance, parameters

Array = NDArray[np.float64]
TICK = 1 / 120  # s
STEADY = 0.5  # s at a skid pad's end, over which it is averaged
SPEEDS = (0.5, 1.0, 1.5, 2.0, 3.0)  # m/s, of the skid pads
ANGLES = (0.1, 0.2, 0.35)  # rad, of the single-track model's front wheel
DELAYS = np.arange(0, 0.1, 0.002)  # s, among which that of a simulator's answer is sought
PATIENCE = 90.0  # s, for a simulator to appear or a manoeuvre to end: it renders, perhaps without a graphics card
BUILT_IN_WORLD = "oval"  # the built-in floor goes on for ever around every track
WORLD = """<sdf version="1.9"><world name="floor">
  <light name="sun" type="directional"><direction>0 0 -1</direction></light>
  <model name="floor"><static>true</static><link name="floor">
    <collision name="floor">
      <geometry><plane><normal>0 0 1</normal><size>200 200</size></plane></geometry>
      <surface><friction><ode><mu>1</mu><mu2>1</mu2></ode></friction></surface>
    </collision>
    <visual name="floor"><geometry><plane><normal>0 0 1</normal><size>200 200</size></plane></geometry></visual>
  </link></model>
  <frame name="start"><pose>0 0 0 0 0 0</pose></frame>
</world></sdf>
"""


class Piece(NamedTuple):
    """Part of a manoeuvre."""

    duration: float  # s
    steering: float  # rad
    speed: float  # m/s


Manoeuvre = tuple[Piece, ...]
# Columns of what is recorded: s since the manoeuvre began, m/s ahead, m/s to the left at the centre of mass, rad/s.
Record = Array


class Simulator:
    """The port of a running simulator."""

    def __init__(self, car: Car, domain: int) -> None:
        import rclpy
        from geometry_msgs.msg import PoseStamped
        from nav_msgs.msg import Odometry
        from rclpy.context import Context
        from rclpy.executors import SingleThreadedExecutor
        from rclpy.node import Node
        from rclpy.qos import QoSProfile
        from std_msgs.msg import Float64

        self._car, self._number, self._pose = car, Float64, PoseStamped
        self._context = Context()
        rclpy.init(context=self._context, domain_id=domain)
        node = Node("gazebo_car", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(node)
        latest = QoSProfile(depth=1)
        self._steering = node.create_publisher(Float64, "/sim/steering_angle", latest)
        self._wheel_speed = node.create_publisher(Float64, "/sim/wheel_speed", latest)
        self._place = node.create_publisher(PoseStamped, "/sim/set_pose", latest)
        node.create_subscription(Odometry, "/sim/odom", self._hear, QoSProfile(depth=10))
        self._heard: Callable[[float, Any], None] = lambda now, message: None

    def close(self) -> None:
        self._executor.shutdown()
        self._context.try_shutdown()

    def _hear(self, message: Any) -> None:
        stamp = message.header.stamp
        self._heard(stamp.sec + stamp.nanosec * 1e-9, message)

    def _until(self, done: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + PATIENCE
        while not done():
            if time.monotonic() > end:
                raise OutlapError(f"{what} within {PATIENCE:g} s: read what the simulator said above.")
            self._executor.spin_once(timeout_sec=0.1)

    def _send(self, steering: float, speed: float) -> None:
        self._steering.publish(self._number(data=steering))
        self._wheel_speed.publish(self._number(data=self._car.wheel_speed(speed)))

    def drive(self, manoeuvre: Manoeuvre) -> Record:
        """From standstill at the origin."""
        self._stand(manoeuvre[0].steering)
        rows: list[tuple[float, float, float, float]] = []
        begin, ends = math.nan, np.cumsum([piece.duration for piece in manoeuvre])

        def heard(now: float, message: Any) -> None:
            nonlocal begin
            begin = now if math.isnan(begin) else begin
            elapsed = now - begin
            piece = manoeuvre[min(int(np.searchsorted(ends, elapsed, side="right")), len(manoeuvre) - 1)]
            self._send(piece.steering, piece.speed)
            twist = message.twist.twist
            rows.append((elapsed, twist.linear.x, twist.linear.y, twist.angular.z))

        self._heard = heard
        self._until(lambda: bool(rows) and rows[-1][0] >= ends[-1], "the simulator's time did not pass")
        return np.array(rows)

    def _stand(self, steering: float) -> None:
        """Put the car at the origin, and wait until it stands there with its front wheels turned."""
        standing, asked = 0, 0.0

        def heard(now: float, message: Any) -> None:
            nonlocal standing, asked
            self._send(steering, 0.0)
            position, twist = message.pose.pose.position, message.twist.twist
            near = math.hypot(position.x, position.y) < 0.1 and abs(twist.linear.x) < 0.02
            standing = standing + 1 if near else 0
            if not near and now - asked > 1.0:
                asked = now
                pose = self._pose()
                pose.pose.orientation.w = 1.0
                self._place.publish(pose)

        self._heard = heard
        self._until(lambda: standing > 120, "no car stood at the origin")


@contextlib.contextmanager
def running(simulator: str, car: str) -> Iterator[int]:
    """The simulator's launch file, run for as long as the context lasts; its ROS domain."""
    with claim_domain() as domain:
        environment = ros_environment(domain.id)  # free again for the graph, which claims it itself
    with tempfile.TemporaryDirectory(prefix="outlap-") as folder:
        world = Path(folder) / "floor.sdf"
        world.write_text(WORLD)
        name = str(world) if simulator == "gazebo" else BUILT_IN_WORLD
        command = [sys.executable, "-P", "-m", "outlap.cli.main", "launch", f"simulator_{simulator}", f"world:={name}"]
        command += [f"car:={car}", *(["headless:=true"] if simulator == "gazebo" else [])]
        process = subprocess.Popen(command, env=environment, stdout=sys.stderr)
        try:
            yield domain.id
        finally:
            process.terminate()
            process.wait()


def ours(car: Car, manoeuvre: Manoeuvre) -> Record:
    """What Outlap's dynamics make of it."""
    state, p, rows = np.zeros((1, STATE_SIZE)), parameters(car), [(0.0, 0.0, 0.0, 0.0)]
    advance(state, p, np.array([manoeuvre[0].steering]), np.zeros(1), 1.0)
    for piece in manoeuvre:
        for _ in range(round(piece.duration / TICK)):
            advance(state, p, np.array([piece.steering]), np.array([car.wheel_speed(piece.speed)]), TICK)
            rows.append((rows[-1][0] + TICK, *state[0, [SPEED, LATERAL, YAW_RATE]]))
    return np.array(rows)


def at(record: Record, times: Array, column: int) -> Array:
    return np.interp(times, record[:, 0], record[:, column])


def skid_pad(record: Record) -> tuple[float, float, float]:
    """Speed (m/s), curvature (1/m) and sideways acceleration (m/s^2) at the end."""
    last = record[record[:, 0] > record[-1, 0] - STEADY]
    speed, yaw_rate = float(last[:, 1].mean()), float(last[:, 3].mean())
    return speed, yaw_rate / speed, yaw_rate * speed


def reached(record: Record, column: int, level: float, begin: float) -> float:
    """Seconds after ``begin`` at which a column first reaches ``level``; NaN if never."""
    rows = record[(record[:, 0] >= begin) & (record[:, column] >= level)]
    return float(rows[0, 0] - begin) if len(rows) else math.nan


def rms(values: Array) -> float:
    return float(np.sqrt(np.mean(values**2)))


def percent(theirs: float, mine: float) -> float:
    return 100 * (theirs / mine - 1)


def compare(car: Car, drive: Callable[[Manoeuvre], Record]) -> dict[str, Any]:
    """Drive all manoeuvres, print what comes of each on both sides, and sum it up."""
    found: dict[str, Any] = {"skid_pad": [], "step_steer": [], "straight": {}}
    print("skid pad: constant steering and speed   (curvature 1/m, sideways acceleration m/s^2; theirs, ours)")
    for angle in ANGLES:
        for speed in SPEEDS:
            manoeuvre = (Piece(1.0 + speed / car.drive.max_acceleration, angle, speed), Piece(2 * STEADY, angle, speed))
            (v, k, a), (v0, k0, a0) = skid_pad(drive(manoeuvre)), skid_pad(ours(car, manoeuvre))
            found["skid_pad"].append(
                {"steering": angle, "speed": speed, "curvature": k, "ours": k0, "acceleration": a, "ours_too": a0}
            )
            print(
                f"  {angle:5.2f} rad {speed:4.1f} m/s: speed {v:5.2f} {v0:5.2f}   curvature {k:6.3f} {k0:6.3f} "
                f"({percent(k, k0):+5.1f}%)   acceleration {a:5.2f} {a0:5.2f} ({percent(a, a0):+5.1f}%)",
                flush=True,
            )
    print("step steer   (yaw rate: s to 63% and to 90% of ours at last, its last; theirs, ours)")
    for speed in (1.0, 2.0):
        for angle in (0.1, 0.25):
            begin = 1.0 + speed / car.drive.max_acceleration
            manoeuvre = (Piece(begin, 0.0, speed), Piece(1.0, angle, speed))
            theirs, mine = drive(manoeuvre), ours(car, manoeuvre)
            times = np.arange(begin, begin + 1.0, TICK)
            a, b = at(theirs, times, 3), at(mine, times, 3)
            last = float(b[-24:].mean())
            late, difference = min(
                ((delay, rms(at(theirs, times + delay, 3) - b) / last) for delay in DELAYS), key=lambda x: x[1]
            )
            rises = [reached(record, 3, part * last, begin) for part in (0.63, 0.9) for record in (theirs, mine)]
            found["step_steer"].append(
                {"speed": speed, "steering": angle, "rise": rises[0], "ours": rises[1], "late": late, "rms": difference}
            )
            print(
                f"  {angle:5.2f} rad {speed:4.1f} m/s: 63% {rises[0]:.3f} {rises[1]:.3f} s   "
                f"90% {rises[2]:.3f} {rises[3]:.3f} s   last {a[-24:].mean():5.2f} {last:5.2f} rad/s   "
                f"late by {late * 1e3:.0f} ms, then rms difference {difference:.1%}",
                flush=True,
            )
    fast = 0.75 * car.drive.max_speed
    manoeuvre = (Piece(2.0, 0.0, fast), Piece(1.5, 0.0, 0.0))
    theirs, mine = drive(manoeuvre), ours(car, manoeuvre)
    times = np.arange(0, 3.5, TICK)
    difference = at(theirs, times, 1) - at(mine, times, 1)
    rise = [reached(record, 1, 0.9 * fast, 0) for record in (theirs, mine)]
    stop = [float(at(r, times[times >= 2], 1).sum() * TICK) for r in (theirs, mine)]
    found["straight"] = {"rise": rise[0], "ours": rise[1], "stop": stop[0], "ours_too": stop[1]}
    print(
        f"straight: to 90% of {fast:g} m/s in {rise[0]:.2f} {rise[1]:.2f} s, stopping within {stop[0]:.2f} "
        f"{stop[1]:.2f} m; "
        f"largest difference of speed {np.abs(difference).max():.2f} m/s, rms {rms(difference):.3f} m/s"
    )
    return found


def main() -> None:
    """Print the comparison, and end with one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--car", default="deepracer", help="a name in config/cars, or a car file")
    parser.add_argument("--simulator", choices=("gazebo", "builtin"), default="gazebo", help="whose car it is")
    options = parser.parse_args()
    if options.simulator == "gazebo" and shutil.which("gz") is None:
        print("Gazebo is not installed here (apt install ros-jazzy-ros-gz): nothing was compared.")
        print(json.dumps({"skipped": "gz is missing"}))
        return
    car = load_car(options.car)
    with running(options.simulator, options.car) as domain:
        simulator = Simulator(car, domain)
        try:
            found = compare(car, simulator.drive)
        finally:
            simulator.close()
    print(json.dumps({"simulator": options.simulator, **found}))


if __name__ == "__main__":
    try:
        main()
    except OutlapError as error:
        sys.exit(f"error: {error}")
