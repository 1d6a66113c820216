"""From frame to actuator: the car's live graph at 60 pictures a second, against the same work in one process.

`outlap launch car` runs the camera, policy and motor nodes, and the stopper, on a folder of 640×480 pictures and a
PCA9685 stand-in that speaks the chip's registers and keeps the time of every write. The figure is from a frame's stamp,
which its source gives it when it is due, to the write of what came of it. The peer is the same warp, policy, gate and
driver called one after another in this process, without ROS: what is between the two is what nodes and messages cost.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import rclpy
import yaml
from numpy.typing import NDArray
from outlap_nodes.shared.messages import RECORD, to_seconds
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import JointState
from std_srvs.srv import SetBool

from outlap.camera.view import View
from outlap.camera.warp import Warp
from outlap.drivers.fakes.pca9685 import FakePca9685
from outlap.drivers.opening import open_actuator
from outlap.errors import OutlapError
from outlap.launching.domain import claim_domain
from outlap.launching.environment import ros_environment
from outlap.learning.runs.folder import RunFolder
from outlap.policy.file import load_policy, write_policy
from outlap.policy.runtime import Driver
from outlap.safety.gate import Arm, Gate, Twist, limits
from outlap.vehicle.car import Car, load_car
from outlap.vehicle.command import FRAME

DEMO = RunFolder("runs/demo").policy_file  # where `make demo` leaves one
RATE = 60.0  # Hz
PICTURES = 60
BINS = (0.5, 1, 1.5, 2, 2.5, 3, 4, 5, 7, 10, 15, 20, math.inf)  # ms, upper edges of the histogram
STEERING = {"centre": 1500.0, "left": (0.5236, 1900.0), "right": (-0.5236, 1100.0)}
SPEED = {"neutral": 1500.0, "forward": ((0.0, 1540.0), (4.0, 1900.0)), "reverse": ((0.0, 1460.0), (2.0, 1200.0))}
LENS = {"model": "fisheye", "width": 640, "height": 480, "fx": 320.0, "fy": 320.0, "cx": 319.5, "cy": 239.5}


def main() -> None:
    """Measure both, and end with one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("policy", nargs="?", type=Path, default=DEMO, help="a policy file; by default the demo's")
    parser.add_argument("--seconds", type=float, default=30.0, help="of driving")
    options = parser.parse_args()
    if options.policy == DEMO and not DEMO.is_file():
        print(f"nothing measured: there is no {DEMO}, which `make demo` trains, and no other policy was named")
        return
    with tempfile.TemporaryDirectory(prefix="outlap-") as name, FakePca9685(Path(name) / "i2c") as chip:
        folder = Path(name)
        car = write_car(folder / "car.yaml", chip)
        draw_pictures(folder / "pictures")
        policy = at_rate(options.policy, folder / "policy.onnx")
        alone = without_ros(policy, car, folder / "pictures")
        live = on_the_graph(policy, folder, chip, options.seconds)
    for where, taken in (("on the graph", live), ("in one process", alone)):
        print(f"{where}, {len(taken)} frames:\n{histogram(taken)}")
    result = {"rate_hz": RATE, "frames": len(live)} | quantiles("", live) | quantiles("peer_", alone)
    print(
        json.dumps(
            result | {"peer": "the same in one process", "ratio": round(result["ms_p50"] / result["peer_ms_p50"], 2)}
        )
    )


def write_car(path: Path, chip: FakePca9685) -> Car:
    """The DeepRacer, with the stand-in as its actuator and a camera of 640×480 pixels."""
    content = load_car().model_dump(mode="json")
    content["actuator"] = {"steering": STEERING, "speed": SPEED} | chip.hardware
    content["camera"] |= {"rate": RATE, "lens": LENS}
    path.write_text(yaml.safe_dump(Car.model_validate(content).model_dump(mode="json")))
    return load_car(path)


def at_rate(policy: Path, path: Path) -> Path:
    """The same network under a contract of ``RATE``: what it was trained at does not change its time."""
    write_policy(path, policy.read_bytes(), load_policy(policy).contract.model_copy(update={"rate_hz": RATE}))
    return path


def draw_pictures(folder: Path) -> None:
    """A road's two lines that sway, on a floor with some texture."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    floor = cv2.resize(rng.integers(60, 120, (48, 64), dtype=np.uint8), (LENS["width"], LENS["height"]))
    for number in range(PICTURES):
        picture = cv2.cvtColor(floor, cv2.COLOR_GRAY2BGR)
        sway = int(60 * math.sin(2 * math.pi * number / PICTURES))
        for side in (-1, 1):
            cv2.line(picture, (320 + side * 60 + sway, 200), (320 + side * 300, 479), (255, 255, 255), 12)
        cv2.imwrite(str(folder / f"{number:04d}.jpg"), picture)


def without_ros(policy: Path, car: Car, pictures: Path) -> NDArray[np.float64]:
    """ms from having a frame to having written what comes of it, called one after another."""
    frames = [cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB) for path in sorted(pictures.iterdir())]
    warp, driver = Warp(car.camera, View()), Driver(load_policy(policy, car=car))
    gate, actuator = Gate(car, limits(car)), open_actuator(car)
    taken: list[float] = []
    for number in range(10 * len(frames)):
        begin = time.monotonic()
        command = driver.act(begin, warp(frames[number % len(frames)]))
        turn = (0.0, 0.0, command.curvature * command.speed)
        events = [Twist("policy", begin, FRAME, (command.speed, 0.0, 0.0), turn), *([] if number else [Arm(True)])]
        now = time.monotonic()
        output = gate.step(now, now, events)
        actuator.write(now, output.steering, output.speed)
        taken.append(time.monotonic() - begin)
        time.sleep(max(0.0, 1 / RATE - taken[-1]))
    actuator.stop(time.monotonic())
    actuator.close()
    return 1e3 * np.array(taken[len(frames) :])  # the first ones warm up


def on_the_graph(policy: Path, folder: Path, chip: FakePca9685, seconds: float) -> NDArray[np.float64]:
    """ms from each frame's stamp to the write of what came of it, on live nodes."""
    with claim_domain() as domain:
        number = domain.id
    environment = ros_environment(number)
    words = [
        f"car:={folder / 'car.yaml'}",
        f"policy:={policy.resolve()}",
        "source:=file",
        f"path:={folder / 'pictures'}",
    ]
    command = [sys.executable, "-m", "outlap.cli.main", "launch", "car", *words, "loop:=true"]
    with (folder / "log").open("wb") as log:
        graph = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
    os.environ.update({key: environment[key] for key in environment if key.startswith(("ROS_", "FASTRTPS"))})
    rclpy.init()
    node, states = Node("bench"), []
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    node.create_subscription(
        JointState, "/motor/state", lambda state: states.append(to_seconds(state.header.stamp)), RECORD
    )
    arming = node.create_client(SetBool, "/motor/arm")
    try:
        ask(executor, arming, True, graph, folder)
        end, looked, newest = time.monotonic() + seconds, time.monotonic(), 0.0
        while (now := time.monotonic()) < end:
            executor.spin_once(timeout_sec=0.1)
            if now - looked > 1.0:  # on a busy machine the gate may have stopped the car
                if states and states[-1] == newest:
                    ask(executor, arming, True, graph, folder)
                looked, newest = now, states[-1] if states else 0.0
        offset = time.time() - time.monotonic()
        ask(executor, arming, False, graph, folder)
        writes, stamps = [sent.time for sent in chip.history()], list(states)
    finally:
        graph.send_signal(signal.SIGINT)
        graph.wait(30)
        rclpy.try_shutdown()
    return pair(stamps, writes, offset)


def ask(executor: SingleThreadedExecutor, arming, arm: bool, graph: subprocess.Popen, folder: Path) -> None:
    """Arm or disarm, as soon as the motor allows it."""
    end = time.monotonic() + 60
    while True:
        if time.monotonic() > end or graph.poll() is not None:
            raise OutlapError(f"the car could not be armed:\n{(folder / 'log').read_text()}")
        answer = arming.call_async(SetBool.Request(data=arm))
        executor.spin_until_future_complete(answer, timeout_sec=1.0)
        if answer.done() and answer.result().success:
            return
        executor.spin_once(timeout_sec=0.2)


def pair(stamps: list[float], writes: list[float], offset: float) -> NDArray[np.float64]:
    """The last state tells of the last write, and so backwards; a stamp counts when it is first answered."""
    count = min(len(stamps), len(writes))
    seen, taken = {0.0}, []
    for stamp, write in zip(stamps[-count:], writes[-count:], strict=True):
        if stamp not in seen:
            seen.add(stamp)
            taken.append(1e3 * (write + offset - stamp))
    return np.array(taken[int(RATE) :])  # ms; the first second warms up


def histogram(taken: NDArray[np.float64]) -> str:
    """Counts between the edges of ``BINS``, as text."""
    edges = np.array([0.0, *BINS])
    counts = np.histogram(taken, edges)[0]
    return "\n".join(f"  up to {edge:>4} ms {count:>6}" for edge, count in zip(BINS, counts, strict=True) if count)


def quantiles(prefix: str, taken: NDArray[np.float64]) -> dict[str, float]:
    """Median, 99th percentile and the largest, in ms."""
    values = np.percentile(taken, (50, 99, 100))
    return {
        f"{prefix}ms_{name}": round(float(value), 3) for name, value in zip(("p50", "p99", "max"), values, strict=True)
    }


if __name__ == "__main__":
    try:
        main()
    except OutlapError as error:
        sys.exit(f"error: {error}")
