"""motor: passes commands through the safety gate to the actuator, and is neutral whenever in doubt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from geometry_msgs.msg import TwistStamped
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from rclpy.node import Node
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64
from std_srvs.srv import SetBool

from outlap.files import Model
from outlap.safety.gate import Arm, Event, Gate, Output, Source, State, Twist
from outlap.timing import Rate
from outlap.vehicle.car import load_car

from .messages import LATEST, RECORD, to_seconds, to_time
from .program import (
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

TICK = 0.02  # s, on the steady clock; with the gate's 0.15 s a lost command means neutral within 0.2 s
REPEAT = 0.1  # s, an unchanged output is written again this often, for actuators that stop by themselves


class Parameters(Model):
    """See config/drive.yaml."""

    actuator: Literal["simulator"]
    car: str


class SimulatorActuator:
    """Writes to the simulator's topics."""

    def __init__(self, node: Node) -> None:
        self._steering = node.create_publisher(Float64, "/sim/steering_angle", LATEST)
        self._wheel_speed = node.create_publisher(Float64, "/sim/wheel_speed", LATEST)

    def write(self, steering: float, wheel_speed: float) -> None:
        """Front wheel angle in rad, left positive, and wheel speed in rad/s."""
        self._steering.publish(Float64(data=steering))
        self._wheel_speed.publish(Float64(data=wheel_speed))


class MotorNode(LifecycleProgram):
    """Commands in, the actuator's angle and wheel speed out."""

    def __init__(self) -> None:
        super().__init__("motor")
        self._actuator: SimulatorActuator | None = None
        self._active = False

    def configure(self) -> None:
        parameters = read_parameters(self, Parameters)
        self._car = load_car(parameters.car)
        self._gate = Gate(self._car)
        self._steady = steady_clock()
        self._ticks = Rate()
        self._actuator = SimulatorActuator(self)
        self._states = self.create_publisher(JointState, "/motor/state", RECORD)
        self._output: Output | None = None
        self._written = float("-inf")  # s
        self._diagnostics = Diagnostics(self, self._status)
        self.create_subscription(TwistStamped, "/cmd_vel", self._policy_command, LATEST)
        self.create_subscription(TwistStamped, "/cmd_vel/hand", self._hand_command, LATEST)
        self.create_service(SetBool, "/motor/arm", self._arm)
        self.create_timer(TICK, self._tick, clock=self._steady)
        self._tick()

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._active = True
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._active = False
        self._step(Arm(False))
        return super().on_deactivate(state)

    def close(self) -> None:
        """The last thing written is neutral, with the steering as it was."""
        if self._actuator is not None:
            self._step(Arm(False))

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
        response.success = (output.state is State.ARMED) == request.data
        response.message = output.reason or "armed"
        return response

    def _tick(self) -> None:
        self._ticks.add(seconds(self._steady))
        self._step()

    def _step(self, *events: Event) -> Output:
        """Ask the gate, write what it says, and report a change."""
        now = seconds(self._steady)
        output, before = self._gate.step(now, seconds(self.get_clock()), events), self._output
        self._output = output
        if events or before is None or output != before or now - self._written >= REPEAT:
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
        assert self._actuator is not None
        wheel_speed = self._car.wheel_speed(output.speed)
        self._actuator.write(output.steering, wheel_speed)
        self._written = now
        state = JointState(name=["steering", "drive"])
        state.header.stamp = to_time(output.stamp)
        state.position, state.velocity = [output.steering, 0.0], [0.0, wheel_speed]
        self._states.publish(state)

    def _status(self) -> tuple[bytes, str, Mapping[str, object]]:
        assert self._output is not None
        output = self._output
        level = {State.ARMED: OK, State.DISARMED: WARN, State.FAULT: ERROR}[output.state]
        state = output.state.name.lower()
        values = {"state": state, "reason": output.reason, "tick_hz": self._ticks.hertz(seconds(self._steady))}
        return level, f"{state}: {output.reason}" if output.reason else state, values


def main() -> None:
    run(MotorNode)


if __name__ == "__main__":
    main()
