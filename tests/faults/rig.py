"""What live faults are injected into and measured by: players, a recording actuator, the loop over injections."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from fault_figures import FULL
from geometry_msgs.msg import TwistStamped
from outlap_nodes.shared.messages import LATEST, STREAM, to_image, to_nanoseconds, to_time
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image
from stalls import Stalls
from std_msgs.msg import Float64
from std_srvs.srv import SetBool

from outlap.drivers.fakes.standin import Sent

PATIENCE = 60.0  # s, for anything that must happen
FRAME_TIME = 1 / 30  # s
EVERY = QoSProfile(depth=1000, reliability=ReliabilityPolicy.RELIABLE)  # nothing is to be missed
LEAD_IN = 0.05  # s before an injection in which a stall still has its effects
SAME = 1e-6  # s, between two times that are one
QUIET = 0.3  # s of good commands that must not move a car which has stopped


class Background:
    """A node in this process, in a ROS context and a thread of its own."""

    def __init__(self, name: str, domain: int) -> None:
        self._context = Context()
        rclpy.init(context=self._context, domain_id=domain)
        self.node = Node(name, context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._spin, daemon=True)]

    def begin(self, loop: Callable[[], None] | None = None) -> None:
        """Spin, and run ``loop`` in a second thread."""
        if loop is not None:
            self._threads.append(threading.Thread(target=loop, daemon=True))
        for thread in self._threads:
            thread.start()

    def waits(self, seconds: float) -> bool:
        """Whether it goes on after so long."""
        return not self._ended.wait(seconds)

    def close(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()
        self.node.destroy_node()
        rclpy.shutdown(context=self._context)

    def _spin(self) -> None:
        while not self._ended.is_set():
            try:
                self._executor.spin_once(timeout_sec=0.1)
            except ExternalShutdownException:
                return


def received(info: Mapping[str, int]) -> float:
    """Steady time in s at which the middleware had a message; in a busy process Python has its turn later."""
    return time.monotonic() - (time.time_ns() - info["received_timestamp"]) * 1e-9


class Heard(NamedTuple):
    """A command as it passed on its topic."""

    time: float  # s, steady clock
    stamp: int  # ns
    speed: float  # m/s


class Recorder(Background):
    """In the place of the simulator's wheels; hears the policy's commands too."""

    def __init__(self, domain: int) -> None:
        super().__init__("recorder", domain)
        self.hears = True
        self._steering: float | None = None
        self._sent: list[Sent] = []
        self.commands: list[Heard] = []
        self.motor: list[tuple[float, dict[str, str]]] = []  # when, and what its diagnostics said
        self.node.create_subscription(Float64, "/sim/steering_angle", self._steer, LATEST)
        self.node.create_subscription(Float64, "/sim/wheel_speed", self._drive, EVERY)
        self._hearing = self.node.create_subscription(TwistStamped, "/cmd_vel", self._command, EVERY)
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._diagnose, EVERY)
        self.begin()

    def history(self) -> list[Sent]:
        return self._sent

    def publishers(self, topic: str) -> list[str]:
        """The nodes that it knows to publish there."""
        return [info.node_name for info in self.node.get_publishers_info_by_topic(topic)]

    def deafen(self) -> None:
        """Hear no more commands: of a flood, that would be work for this process."""
        self.hears = False
        self._executor.create_task(lambda: self.node.destroy_subscription(self._hearing))  # not under its feet

    def _steer(self, message: Float64) -> None:
        self._steering = message.data

    def _drive(self, message: Float64, info: Mapping[str, int]) -> None:
        self._sent.append(Sent(received(info), self._steering, message.data))

    def _diagnose(self, message: DiagnosticArray, info: Mapping[str, int]) -> None:
        for status in message.status:
            if status.name == "motor":
                self.motor.append((received(info), {value.key: value.value for value in status.values}))

    def _command(self, message: TwistStamped, info: Mapping[str, int]) -> None:
        self.commands.append(Heard(received(info), to_nanoseconds(message.header.stamp), message.twist.linear.x))


class Player(Background):
    """In the place of a lens: pictures at 30 Hz, each another, on the simulator's topic; with ``clock`` also /clock."""

    def __init__(self, domain: int, clock: bool = False) -> None:
        super().__init__("player", domain)
        self.late = 0.0  # s, how old the stamps are
        self.period = FRAME_TIME  # s
        self.frozen = False  # whether it is always the same picture
        self.playing = True
        self.offset = 1000.0 - time.monotonic()  # s, of /clock
        self.stamps: list[tuple[float, int]] = []  # steady s when it was sent, and the stamp in ns
        self._clock = clock
        noise = np.random.default_rng(1)
        self._pictures = [noise.integers(0, 255, (120, 160, 3), dtype=np.uint8) for _ in range(8)]
        self._images = self.node.create_publisher(Image, "/sim/camera/image_raw", STREAM)
        self._clocks = self.node.create_publisher(Clock, "/clock", STREAM)
        self.begin(self._play)

    @property
    def now(self) -> float:
        """The graph's time in s."""
        return time.monotonic() + self.offset if self._clock else time.time()

    def _play(self) -> None:
        step, steps = 0, 4 if self._clock else 1
        picture = 0
        due = time.monotonic()
        while self.waits(max(due - time.monotonic(), 0.0)):
            due = max(due, time.monotonic() - self.period) + self.period / steps
            if not self.playing:
                continue
            if self._clock:
                self._clocks.publish(Clock(clock=to_time(self.now)))
            step += 1
            if step % steps:
                continue
            picture += not self.frozen
            stamp = to_time(self.now - self.late)
            self.stamps.append((time.monotonic(), to_nanoseconds(stamp)))
            self._images.publish(to_image(stamp, "camera_optical_frame", self._pictures[picture % 8]))


class Commander(Background):
    """In the place of a policy: commands at 50 Hz, which ``spoil`` changes before they are sent."""

    def __init__(self, domain: int, topic: str = "/cmd_vel", name: str = "policy") -> None:
        super().__init__(name, domain)
        self._publisher = self.node.create_publisher(TwistStamped, topic, LATEST)
        self._spoil: Callable[[TwistStamped], object] | None = None
        self._spoiled: float | None = None  # s, when the first of them was sent
        self.begin(self._send)

    def spoil(self, how: Callable[[TwistStamped], object] | None) -> float:
        """From now on change every command so; the steady time at which the first was sent."""
        self._spoiled, self._spoil = None, how
        while how is not None and self._spoiled is None:
            time.sleep(0.0005)
        return self._spoiled or time.monotonic()

    def _send(self) -> None:
        while self.waits(0.02):
            twist = TwistStamped()
            twist.header.stamp = to_time(time.time())
            twist.header.frame_id = "base_link"
            twist.twist.linear.x, twist.twist.angular.z = 1.5, 1.0
            if (spoil := self._spoil) is not None:
                spoil(twist)
                self._spoiled = self._spoiled or time.monotonic()
            self._publisher.publish(twist)


class Rig:
    """A graph that can be armed, and whose actuator records."""

    def __init__(
        self,
        domain: int,
        recorder: Recorder,
        history: Callable[[], list[Sent]],
        moves: Callable[[float], bool],
        stalls: Stalls,
        standin: Any = None,
    ) -> None:
        self.recorder, self.history = recorder, history
        self._moves = moves
        self.standin = standin  # of the car's actuator; none in simulation
        self._helper = Background("starter", domain)
        self._client = self._helper.node.create_client(SetBool, "/motor/arm")
        self._helper.begin()
        self.player: Any = None
        self.commander: Any = None
        self.programs: dict[str, Any] = {}
        self._restarts: dict[str, Callable[[], Any]] = {}
        self._stalls = stalls
        self.blurred = 0  # injections that were repeated, because the machine stood still meanwhile
        self._rng = np.random.default_rng(5)

    def draw(self, low: float, high: float) -> float:
        """A time in s that is drawn, so that faults meet every phase of the graph's loops."""
        return float(self._rng.uniform(low, high))

    def close(self) -> None:
        for part in (self.player, self.commander, self._helper, self.recorder):
            if part is not None:
                part.close()

    def add(self, name: str, start: Callable[[], Any]) -> None:
        """Start a program of the graph, in a way that can be repeated."""
        self._restarts[name] = start
        self.programs[name] = start()

    def restart(self, name: str) -> None:
        """Start it anew, after it has been killed."""
        self.programs[name].process.wait()
        self.programs[name] = self._restarts[name]()

    def signal(self, name: str, number: int) -> float:
        """Send a program a signal; the steady time just before."""
        now = time.monotonic()
        self.programs[name].process.send_signal(number)
        return now

    def until(self, happened: Callable[[], Any], what: str, patience: float = PATIENCE) -> None:
        end = time.monotonic() + patience
        while not happened():
            said = "\n".join(f"--- {name}\n{program.said}" for name, program in self.programs.items())
            assert time.monotonic() < end, f"{what} did not happen within {patience:g} s\n{said}"
            time.sleep(0.005)

    def arm(self, arm: bool = True) -> SetBool.Response:
        end = time.monotonic() + PATIENCE
        while True:
            self.until(self._client.service_is_ready, "/motor/arm")
            answer = self._client.call_async(SetBool.Request(data=arm))
            asked = time.monotonic()
            while not answer.done() and time.monotonic() < asked + 1:
                time.sleep(0.002)
            if answer.done() and (result := answer.result()) is not None:
                return result
            assert time.monotonic() < end, "/motor/arm does not answer"
            answer.cancel()  # of a motor that was killed, perhaps, and is not forgotten yet

    def said(self, since: float, **values: str) -> float:
        """Seconds from ``since`` to the motor's first diagnostics with these words in these values."""

        def found() -> float | None:
            told = self.recorder.motor
            fit = (at for at, said in told if at >= since and all(words in said[key] for key, words in values.items()))
            return next(fit, None)

        self.until(lambda: found() is not None, f"diagnostics with {values}")
        at = found()
        assert at is not None
        return at - since

    @property
    def moving(self) -> bool:
        history = self.history()
        return bool(history) and self._drives(history[-1])

    def _drives(self, sent: Sent) -> bool:
        return sent.speed is not None and self._moves(sent.speed)

    def drive(self, patience: float = PATIENCE) -> None:
        """Arm until it drives, and on for a drawn time.

        On a machine that stalls, it may well stop meanwhile, as it should: it is armed again then.
        """
        end, answer = time.monotonic() + patience, None
        while True:
            while not self.moving:
                assert time.monotonic() < end, f"it never drove: {answer}"
                answer = self.arm()
                time.sleep(0.03)
            since = time.monotonic()
            time.sleep(self.draw(0.2, 0.3))
            if self.moving and not self._stops(since):
                return

    def neutral(self, since: float) -> float:
        """Seconds from ``since`` to the first neutral that was written."""

        end = time.monotonic() + PATIENCE
        while not (after := self._stops(since)):
            assert time.monotonic() < end, "it never became neutral"
            time.sleep(0.01)
        return after[0] - since

    def _stops(self, since: float) -> list[float]:
        """When zero speed was written, from ``since`` on."""
        sent = itertools.takewhile(lambda sent: sent.time >= since, reversed(self.history()))
        return [sent.time for sent in sent if sent.speed is not None and not self._moves(sent.speed)][::-1]

    def stays_neutral(self, since: float, held: bool = True) -> None:
        """Good commands alone do not move it again, and the steering stays as it was when it stopped.

        A motor that was started anew cannot know that one: ``held`` is false then.
        """
        seen, now = len(self.recorder.commands), time.monotonic()
        if self.recorder.hears:
            self.until(lambda: len(self.recorder.commands) > seen + 3, f"commands after {now:.2f}")
        time.sleep(QUIET)
        after = [sent for sent in self.history() if sent.time >= since]
        # A stand-in that reads two writes at once notes one time for both: what drove came before what stopped.
        after = list(itertools.dropwhile(lambda sent: sent.time - since < SAME and self._drives(sent), after))
        assert len(after) > 1, "the actuator was not written to any more"
        moved = [sent for sent in after if self._drives(sent)]
        assert not moved, f"it moved again, {', '.join(f'{1e3 * (sent.time - since):.1f}' for sent in moved)} ms later"
        if held:
            assert len({sent.steering for sent in after[1:]}) == 1, "the steering was not held"

    def worst(
        self,
        times: int,
        inject: Callable[[int], float],
        recover: Callable[[int], object],
        held: bool = True,
    ) -> float:
        """The longest of so many times from the injection, whose steady time ``inject`` returns, to neutral in s."""
        clear: list[float] = []
        blurred: list[float] = []  # the machine stood still meanwhile: tried again, as often as that is worth it
        while len(clear) < times and len(blurred) <= (times if FULL else 0):
            index = len(clear) + len(blurred)
            self.drive()
            begun = inject(index)
            delay = self.neutral(begun)
            recover(index)
            self.stays_neutral(begun + delay, held)
            stalled = self._stalls.between(begun - LEAD_IN, begun + delay)
            (blurred if stalled else clear).append(delay)
        print("delays in ms:", *(f"{delay * 1e3:.0f}" for delay in clear))
        print("while the machine stood still:", *(f"{delay * 1e3:.0f}" for delay in blurred))
        counted = (clear + blurred)[:times]
        self.blurred = len(blurred) - (len(counted) - len(clear))
        return max(counted)
