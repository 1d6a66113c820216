"""keyboard: drives from the keys of the terminal that it runs in, and from a joystick where that is wanted.

Runs in the foreground: its standard input must be a terminal. It takes the car and the clock to stamp with from the
motor, so it can be started beside any running graph. However it ends, it disarms if it still can; where it cannot
(kill -9, a machine that hangs), its commands stop and the gate stops the car.
"""

from __future__ import annotations

import contextlib
import os
import signal

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.srv import GetParameters
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter, parameter_value_to_python
from rclpy.task import Future
from sensor_msgs.msg import JointState, Joy

from outlap.files import Model
from outlap.hand.config import load_hand
from outlap.hand.decode import Decoder
from outlap.hand.keys import Keys
from outlap.hand.pad import NUMBERS, Pad
from outlap.hand.screen import Standing, keys_text, line
from outlap.hand.signs import Action
from outlap.hand.terminal import Terminal
from outlap.vehicle.car import load_car

from .shared import topics
from .shared.hand_link import PERIOD, Helm
from .shared.incoming import Incoming
from .shared.program import read_parameters, run, steady_clock
from .shared.statuses import StatusReader, ViewerStatus

KEYS, PAD = "keyboard", "joystick"
SHOW_EVERY, ASK_EVERY = 5, 3  # ticks
LAST_WORD = 0.5  # s that disarming may take in the end


class Parameters(Model):
    """See config/drive.yaml."""

    config: str
    joystick: bool


class KeyboardNode(Node):
    """Keys in, commands out, and a line that says how things stand."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        super().__init__("keyboard", automatically_declare_parameters_from_overrides=True)
        self.exit_code: int | None = None
        parameters = read_parameters(self, Parameters)
        self._config, self._hears_joy = load_hand(parameters.config), parameters.joystick
        self._decoder, self._keys, self._pad = Decoder(), Keys(self._config.keyboard), Pad(self._config.joystick)
        self._helm: Helm | None = None
        self._sent = (0.0, 0.0)  # rad, m/s
        self._incoming = Incoming(self)
        self._address = self._refused = ""
        self._parent = os.getppid()
        self._ticks = 0
        self._motor = topics.MOTOR_PARAMETERS.client(self)
        self._answer: Future | None = None
        self._terminal = Terminal()
        stack.enter_context(self._terminal.held())
        self._terminal.say(keys_text(self._config.keyboard))
        topics.DIAGNOSTICS.subscription(self, self._hear)
        self._reader = StatusReader(topics.DIAGNOSTICS.resolved(self), self._terminal.say, ViewerStatus)
        self.create_timer(PERIOD, self._tick, clock=steady_clock())

    def close(self) -> None:
        """The last word is to disarm, where there is still somebody to hear it."""
        if self._helm is None:
            return
        future = self._helm.ask(False)
        if future is not None:
            executor = SingleThreadedExecutor()
            rclpy.spin_until_future_complete(self, future, executor, timeout_sec=LAST_WORD)

    def _tick(self) -> None:
        typed = self._terminal.read()
        if typed is None or os.getppid() != self._parent:
            self.exit_code = 1  # nobody is there any more
            return
        events = self._decoder.feed(typed) if typed else self._decoder.pause()
        if self._helm is None:
            self._wait_for_motor()
            if any(key.name in self._config.keyboard.quit for key in events):
                self.exit_code = 0
            return
        now = self._helm.now()
        for action in [action for key in events for action in self._keys.hear(now, key)]:
            if action is Action.QUIT:
                self.exit_code = 0  # closing disarms
                return
            self._helm.hand.act(now, action, KEYS)
        self._helm.step({KEYS: self._keys.wish(now), PAD: self._pad.wish(now)})
        self._ticks += 1
        if self._keys.tells_releases and self._ticks % ASK_EVERY == 0:
            self._terminal.ask()
        if self._ticks % SHOW_EVERY == 0:
            state, reason = self._helm.motor
            hand, (angle, speed) = self._helm.hand, self._sent
            self._terminal.show(line(Standing(state, reason, hand.who, speed, angle, hand.limit)))

    def _wait_for_motor(self) -> None:
        """Learn from the motor which car it is, and whether time is a simulator's."""
        if self._answer is None:
            self._terminal.show("waiting for the motor …")
            if self._motor.service_is_ready():
                self._answer = self._motor.call_async(GetParameters.Request(names=["car_file", "use_sim_time"]))
        elif self._answer.done() and (answer := self._answer.result()) is not None:
            name, simulated = ([parameter_value_to_python(value) for value in answer.values] + [None, None])[:2]
            if not isinstance(name, str):
                self._answer = None  # it is not configured yet
                return
            car = load_car(name)
            self.set_parameters([Parameter("use_sim_time", value=bool(simulated))])
            self._car = car
            self._helm = Helm(self, self._config, car, self._terminal.say)
            topics.MOTOR_STATE.subscription(self, self._state)
            if self._hears_joy and ("hand", self.get_namespace()) in self.get_node_names_and_namespaces():
                hand = f"{self.get_namespace().rstrip('/')}/hand"
                self._terminal.say(f"the joystick drives by the node {hand}, which runs already")
            elif self._hears_joy and self._config.joystick.named:
                topics.GAMEPAD.subscription(self, self._joy)
            elif self._hears_joy:
                topics.JOY.subscription(self, self._joy)
                self._terminal.say(NUMBERS)

    def _joy(self, message: Joy) -> None:
        assert self._helm is not None
        now = self._helm.now()
        for action in self._pad.hear(now, message.axes, message.buttons):
            self._helm.hand.act(now, action, PAD)
        if self._pad.refused and self._pad.refused != self._refused:
            self._terminal.say(self._pad.refused)
        self._refused = self._pad.refused

    def _state(self, message: JointState) -> None:
        if (sent := self._incoming.sent(message)) is not None:
            self._sent = (sent.steering, self._car.speed(sent.wheel_speed))

    def _hear(self, message: DiagnosticArray) -> None:
        for heard in self._reader.read(message):
            match heard.values:
                case ViewerStatus(address=address) if address != self._address:
                    self._address = address
                    self._terminal.say(f"watch it in a browser: {address}")


def main() -> None:
    # A terminal that is closed ends this like any other end: with the car disarmed.
    signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    with contextlib.ExitStack() as stack:
        run(lambda: KeyboardNode(stack))


if __name__ == "__main__":
    main()
