"""motor: passes commands through the safety gate to the actuator, and is neutral whenever in doubt.

It starts the stopper, a process of its own that stops the car when this one is gone or stands still.
"""

from __future__ import annotations

import contextlib
import os
import time
from contextlib import ExitStack
from typing import Annotated

from geometry_msgs.msg import TwistStamped
from pydantic import Field
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from sensor_msgs.msg import JointState
from std_srvs.srv import SetBool

from outlap.drivers.actuator import Actuator, ActuatorError
from outlap.drivers.battery import BatteryWatch
from outlap.files import Model
from outlap.safety.gate import Arm, Event, Gate, Health, Output, Source, State, Twist, limits
from outlap.timing import Intervals, Rate
from outlap.vehicle.car import car_file, load_car

from .shared import topics
from .shared.actuators import ActuatorName, held, open_named
from .shared.messages import to_battery, to_seconds, to_time
from .shared.motors import Neighbours
from .shared.program import (
    ERROR,
    OK,
    WARN,
    Diagnostics,
    LifecycleProgram,
    read_parameters,
    run,
    seconds,
    steady_clock,
)
from .shared.sole_publisher import SolePublishers
from .shared.statuses import MotorStatus
from .stopper import Watched

TICK = 0.02  # s, on the steady clock; with the gate's 0.15 s a lost command means neutral within 0.2 s
PRIORITY = -10  # its niceness, where that is allowed: what floods the graph must not delay its ticks
APART = 0.004  # s between two writes of a car that drives: more commands than that tell nothing new
REPEAT = 0.1  # s, an unchanged output is written again this often, for actuators that stop by themselves


class Parameters(Model):
    """See config/drive.yaml."""

    actuator: ActuatorName
    car: str
    speed_cap: Annotated[float, Field(ge=0)]


class MotorNode(LifecycleProgram):
    """Commands in, the actuator's angle and speed out."""

    def __init__(self) -> None:
        super().__init__("motor")
        self._actuator: Actuator | None = None
        self._stopper: Watched | None = None
        self._held = ExitStack()
        self._active = False
        self._output: Output | None = None

    def configure(self) -> None:
        parameters = read_parameters(self, Parameters)
        self._car, self._car_file = load_car(parameters.car), car_file(parameters.car).resolve()
        self._gate = Gate(self._car, limits(self._car, parameters.speed_cap or float("inf")))
        self._steady = steady_clock()
        self._ticks, self._gaps = Rate(), Intervals()
        self._held.enter_context(held(parameters.actuator, self._car))
        self.declare_parameter("car_file", str(self._car_file))  # for others, who may be in another folder
        self._drivers = SolePublishers(self, (topics.COMMAND, topics.HAND_COMMAND))
        self._states = topics.MOTOR_STATE.publisher(self)
        self._sent: Output | None = None  # what was written last
        self._written = float("-inf")  # s, when
        self._refused = ""  # why the actuator did not take the last write
        self._diagnostics = Diagnostics(self, self._status)
        self._neighbours = Neighbours(self, lambda: seconds(self._steady), self._speak)
        self._battery = BatteryWatch(self._car.battery)
        self._batteries = topics.BATTERY.publisher(self)
        topics.COMMAND.subscription(self, self._policy_command)
        topics.HAND_COMMAND.subscription(self, self._hand_command)
        topics.ARM.server(self, self._arm)
        self._actuator = open_named(parameters.actuator, self._car, self)
        self._stopper = Watched(parameters.actuator, str(self._car_file), self.get_namespace(), seconds(self._steady))
        self.create_timer(TICK, self._tick, clock=self._steady)
        self.create_timer(1.0, self._tell_voltage, clock=self._steady)
        self._tick()

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._active = True
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._active = False
        self._step(Arm(False))
        return super().on_deactivate(state)

    def close(self) -> None:
        """The last thing written is neutral, with the steering as it was; the stopper then writes it once more."""
        if self._stopper is not None and self._actuator is not None:
            self._step(Arm(False))
            while self._actuator.braking(seconds(self._steady)):  # what the stopper then writes would end the brake
                time.sleep(TICK)
                self._tick()
            self._stopper.close()
        if self._actuator is not None:
            self._actuator.close()
        self._held.close()

    def _policy_command(self, message: TwistStamped) -> None:
        self._command("policy", message)

    def _hand_command(self, message: TwistStamped) -> None:
        self._command("hand", message)

    def _command(self, source: Source, message: TwistStamped) -> None:
        linear, angular = message.twist.linear, message.twist.angular
        stamp, frame = to_seconds(message.header.stamp), message.header.frame_id
        self._step(Twist(source, stamp, frame, (linear.x, linear.y, linear.z), (angular.x, angular.y, angular.z)))

    def _arm(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        if request.data and not self._active:
            response.success, response.message = False, "arming refused: the node is not active"
            return response
        output = self._step(Arm(request.data))
        # An armed car that is asked to arm again may find something wrong that is no fault yet, as it has to last.
        response.success = (output.state is State.ARMED) == request.data and not (request.data and output.reason)
        response.message = output.reason or "armed"
        return response

    def _speak(self) -> None:
        if self._output is not None:  # before the first tick there is nothing to say
            self._diagnostics.publish()

    def _tick(self) -> None:
        assert self._stopper is not None and self._actuator is not None
        now = seconds(self._steady)
        self._ticks.add(now)
        self._gaps.add(now)
        self._step(
            Health("stopper", self._stopper.beat(now)),
            Health("publishers", self._drivers.problem(now)),
            Health("rivals", self._neighbours.rivals(now)),
            Health("camera", self._neighbours.too_slow(now)),
            Health("actuator", self._refused),
            Health("hardware", self._actuator.problem(now)),
            Health("battery", self._battery.problem(now, self._actuator.voltage(now), self._is_armed)),
        )

    def _tell_voltage(self) -> None:
        assert self._actuator is not None
        voltage = self._actuator.voltage(seconds(self._steady))
        if voltage is not None:
            self._batteries.publish(to_battery(to_time(seconds(self.get_clock())), voltage))

    @property
    def _is_armed(self) -> bool:
        return self._output is not None and self._output.state is State.ARMED

    def _step(self, *events: Event) -> Output:
        """Ask the gate, write what it says, and report a change."""
        now = seconds(self._steady)
        output, before = self._gate.step(now, seconds(self.get_clock()), events), self._output
        self._output = output
        told = any(not isinstance(event, Health) for event in events)
        due = now - self._written >= (APART if told or output != self._sent else REPEAT)
        if due or self._sent is None or self._refused or output.speed == 0 != self._sent.speed:
            self._write(output, now)
        if before is None or output.state is not before.state:
            log = self.get_logger()
            # rclpy ties a severity to its line of code.
            if output.state is State.FAULT:
                log.error(f"fault: {output.reason}; neutral until armed again")
            else:
                state = output.state.name.lower()
                log.info(f"{state}: {output.reason}" if output.reason else state)
            self._diagnostics.publish()
        return output

    def _write(self, output: Output, now: float) -> None:
        """Write, and say what was written; what the actuator refuses is written again at once, and on the next tick."""
        assert self._actuator is not None
        try:
            try:
                self._actuator.write(now, output.steering, output.speed)
            except ActuatorError:  # a disturbance is often over at once
                self._actuator.write(now, output.steering, output.speed)
        except ActuatorError as error:
            if not self._refused:
                self.get_logger().warning(str(error))
            self._refused = str(error).rstrip(".")  # it goes on in the sentences that name it
        else:
            self._refused, self._written, self._sent = "", now, output
            state = JointState(name=["steering", "drive"])
            state.header.stamp = to_time(output.stamp)
            state.position, state.velocity = [output.steering, 0.0], [0.0, self._car.wheel_speed(output.speed)]
            self._states.publish(state)

    def _status(self) -> tuple[bytes, str, MotorStatus]:
        assert self._output is not None and self._actuator is not None
        output, now = self._output, seconds(self._steady)
        level = {State.ARMED: OK, State.DISARMED: WARN, State.FAULT: ERROR}[output.state]
        state = output.state.name.lower()
        values = MotorStatus(
            state=state,
            reason=output.reason,
            car=str(self._car_file),
            tick_hz=self._ticks.hertz(now),
            tick_ms_p99=self._gaps.quantile(0.99) * 1e3,
            speed=output.speed,
            steering=output.steering,
            **self._actuator.health(now),
        )
        return level, f"{state}: {output.reason}" if output.reason else state, values


def main() -> None:
    with contextlib.suppress(OSError):  # only root may; a unit file does it by Nice=
        os.setpriority(os.PRIO_PROCESS, 0, PRIORITY)  # before the middleware's threads, which take it over
    run(MotorNode)


if __name__ == "__main__":
    main()
