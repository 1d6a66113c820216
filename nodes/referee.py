"""referee: the race director. Puts the car on the line, arms it, times its laps, and writes the results."""

from __future__ import annotations

from enum import Enum, auto
from pathlib import Path
from typing import Annotated

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped, TwistStamped
from nav_msgs.msg import Odometry
from pydantic import Field
from rclpy.node import Node
from rclpy.task import Future
from sensor_msgs.msg import Image, JointState
from std_srvs.srv import SetBool

from outlap.errors import OutlapError
from outlap.files import Model
from outlap.track.footing import Pose
from outlap.track.formats import load_track
from outlap.vehicle.car import load_car

from .shared import topics
from .shared.incoming import Incoming
from .shared.messages import (
    ODOMETRY_FRAME,
    to_nanoseconds,
    to_quaternion,
    to_seconds,
    to_time,
)
from .shared.program import OK, Diagnostics, read_parameters, run, seconds, steady_clock
from .shared.statuses import MotorStatus, PolicyStatus, RefereeStatus, StatusReader

TICK = 0.1  # s
SETTLE = 0.5  # s at rest on the start line before the motor is armed
ASK_AGAIN = 0.5  # s between two requests to arm
REARM_AFTER = 1.0  # s that a fault keeps the car stopped
GIVE_UP_AFTER = 60.0  # s of waiting for the graph to come up (a world may be much to load), or for the motor to arm
TELL_EVERY = 10.0  # s between two lines about the race's progress
SILENCE = 5.0  # s without odometry, and the simulator is gone


class Parameters(Model):
    """See config/drive.yaml."""

    track: str
    car: str
    policy: str
    simulator: str
    laps: Annotated[int, Field(ge=0)]  # 0: a race without end, for watching
    time_limit: Annotated[float, Field(ge=0)]  # s
    output_dir: str
    json_path: Annotated[str, Field(alias="json")]
    arm: bool
    rearm: bool


class Phase(Enum):
    """Where the race stands."""

    WAITING = auto()  # for images and commands
    PLACING = auto()  # the car is put on the start line and comes to rest
    ARMING = auto()
    RACING = auto()
    OVER = auto()  # the motor is being disarmed


class RefereeNode(Node):
    """Ground truth in, a fair race out."""

    def __init__(self) -> None:
        super().__init__("referee", automatically_declare_parameters_from_overrides=True)
        self.exit_code: int | None = None
        self.interruptible = False
        self._settings = parameters = read_parameters(self, Parameters)
        track, car = load_track(parameters.track), load_car(parameters.car)
        from outlap.racing.race import Race  # slow, so that what is refused is refused before

        self._race = Race(
            track, car, Path(parameters.policy), parameters.laps, parameters.time_limit, parameters.simulator
        )
        self._steady = steady_clock()
        self._phase, self._since = Phase.WAITING, seconds(self._steady)  # and the steady time it began, s
        self._sim_time = 0.0  # s
        self._heard = {"odometry": float("-inf"), "images": float("-inf"), "commands": float("-inf")}  # steady s
        self._motor_state, self._motor_reason = "", "the motor has not reported yet"
        self._stopped_at: float | None = None  # steady s
        self._told = 0.0  # steady s, when the progress was last told
        self._asked = (0.0, float("-inf"))  # when arming was last asked for: simulated and steady s
        self._incoming = Incoming(self)
        self._diagnostics = Diagnostics(self, self._status)
        self._poses = topics.SET_POSE.publisher(self)
        self._arming = topics.ARM.client(self)
        topics.SIM_IMAGE.subscription(self, self._raw)
        topics.VIEW.subscription(self, self._view)
        topics.COMMAND.subscription(self, self._command)
        topics.MOTOR_STATE.subscription(self, self._motor)
        topics.ODOMETRY.subscription(self, self._odometry)
        topics.DIAGNOSTICS.subscription(self, self._hear_diagnostics)
        diagnostics = topics.DIAGNOSTICS.resolved(self)
        self._reader = StatusReader(diagnostics, self._unusable, PolicyStatus, MotorStatus)
        self.create_timer(TICK, self._tick, clock=self._steady)

    # What arrives

    def _raw(self, message: Image) -> None:
        if (picture := self._incoming.picture(message, topics.SIM_IMAGE, "rgb8")) is not None:
            self._race.raw_image(to_nanoseconds(message.header.stamp), self._hear("images"), picture)

    def _view(self, message: Image) -> None:
        if (picture := self._incoming.picture(message, topics.VIEW, "mono8")) is not None:
            self._race.view_image(seconds(self._steady), picture)

    def _motor(self, message: JointState) -> None:
        if (sent := self._incoming.sent(message)) is not None:
            self._race.actuator(to_nanoseconds(message.header.stamp), seconds(self._steady), *sent)

    def _command(self, message: TwistStamped) -> None:
        self._hear("commands")

    def _odometry(self, message: Odometry) -> None:
        motion = self._incoming.motion(message)
        if motion is None:
            return
        now = self._hear("odometry")
        self._sim_time = to_seconds(message.header.stamp)
        if self._phase is not Phase.RACING:
            return
        verdict = self._race.step(self._sim_time, now, Pose(motion.x, motion.y, motion.yaw), motion.speed)
        if verdict.put_back is not None:
            self.get_logger().warning(f"{verdict.reason}: the car is put back")
            self._place(verdict.put_back)
        if verdict.lap is not None:
            lap, who = verdict.lap, "" if self._settings.laps else f" (policy {self._race.policy_digest[:8]})"
            self.get_logger().info(
                f"lap {len(self._race.laps)}: {lap.time_s:.2f} s, {'' if lap.clean else 'not '}clean{who}"
            )
        if self._race.finished:
            self._enter(Phase.OVER)
            self._ask(False)

    def _hear_diagnostics(self, message: DiagnosticArray) -> None:
        for heard in self._reader.read(message):
            match heard.values:
                case PolicyStatus(digest=digest):
                    self._race.policy_digest = digest
                case MotorStatus(state=state, reason=reason):
                    self._motor_state, self._motor_reason = state, reason
                    self._motor_reported()

    def _unusable(self, sentence: str) -> None:
        self.get_logger().warning(sentence)

    def _motor_reported(self) -> None:
        if self._phase is not Phase.RACING:
            if self._phase is Phase.ARMING and self._motor_state == "armed":
                self._go()
            return
        if self._motor_state == "fault" and self._stopped_at is None:
            self._stopped_at = seconds(self._steady)
            self._race.stopped(self._motor_reason)
            self.get_logger().error(f"the motor stopped the car: {self._motor_reason}")
        elif self._motor_state == "armed":
            self._stopped_at = None

    # What the director does

    def _tick(self) -> None:
        now = seconds(self._steady)
        if self._phase is not Phase.WAITING and now - self._heard["odometry"] > SILENCE:
            raise OutlapError(
                f"the simulator has been silent for {SILENCE:g} s; the race is given up, nothing is written."
            )
        if self._phase is Phase.WAITING:
            missing = [what for what, heard in self._heard.items() if now - heard > 1.0]
            if not missing:
                self._enter(Phase.PLACING)
                self._place(self._race.start_pose)
            elif now - self._since > GIVE_UP_AFTER and self._settings.laps:
                raise OutlapError(f"no {' and no '.join(missing)} within {GIVE_UP_AFTER:g} s: the race cannot start.")
        elif self._phase is Phase.PLACING and now - self._since > SETTLE:
            self._enter(Phase.ARMING)
        elif self._phase is Phase.ARMING and self._settings.arm:
            if now - self._since > GIVE_UP_AFTER and self._settings.laps:
                raise OutlapError(f"the motor could not be armed within {GIVE_UP_AFTER:g} s: {self._motor_reason}.")
            self._ask_now_and_then(now)
        elif self._phase is Phase.RACING:
            self._tell_now_and_then(now)
            if self._stopped_at is not None and self._settings.rearm and now - self._stopped_at > REARM_AFTER:
                self._ask_now_and_then(now)
        elif self._phase is Phase.OVER and (self._motor_state != "armed" or now - self._since > 1.0):
            self._finish()

    def _go(self) -> None:
        self._enter(Phase.RACING)
        # The car may have started before its "armed" was heard of here, but not before it was asked to.
        self._race.start(*(self._asked if self._settings.arm else (self._sim_time, seconds(self._steady))))
        self._told = seconds(self._steady)
        self.get_logger().info("go")

    def _finish(self) -> None:
        parameters = self._settings
        result = self._race.result()
        self.interruptible = True  # Ctrl-C need not wait for the film
        extra = Path(parameters.json_path) if parameters.json_path else None
        from outlap.racing.race import report

        report(self._race, result, Path(parameters.output_dir), extra, lambda: seconds(self._steady))
        self.interruptible = False
        self.exit_code = 0 if result.completed else 1

    def _place(self, pose: Pose) -> None:
        message = PoseStamped()
        message.header.stamp, message.header.frame_id = to_time(self._sim_time), ODOMETRY_FRAME
        message.pose.position.x, message.pose.position.y = pose.x, pose.y
        message.pose.orientation = to_quaternion(pose.yaw)
        self._poses.publish(message)

    def _tell_now_and_then(self, now: float) -> None:
        if now - self._told > TELL_EVERY and self._settings.laps:
            self._told = now
            self.get_logger().info(self._race.progress())

    def _ask_now_and_then(self, now: float) -> None:
        if now - self._asked[1] > ASK_AGAIN and self._arming.service_is_ready():
            self._ask(True)

    def _ask(self, arm: bool) -> None:
        self._asked = (self._sim_time, seconds(self._steady))
        self._arming.call_async(SetBool.Request(data=arm)).add_done_callback(self._answered)

    def _answered(self, future: Future) -> None:
        answer = future.result()
        if answer is not None and not answer.success:
            self._motor_reason = answer.message

    def _hear(self, what: str) -> float:
        """Note that something arrived; the steady time, s."""
        now = self._heard[what] = seconds(self._steady)
        return now

    def _enter(self, phase: Phase) -> None:
        self._phase, self._since = phase, seconds(self._steady)

    def _status(self) -> tuple[bytes, str, RefereeStatus]:
        phase = self._phase.name.lower()
        latency = self._race.latency()
        return (
            OK,
            phase,
            RefereeStatus(
                phase=phase,
                laps=len(self._race.laps),
                streak=self._race.streak,
                frame_to_actuator_ms_p50=latency.p50,
                frame_to_actuator_ms_p99=latency.p99,
            ),
        )


def main() -> None:
    run(RefereeNode)


if __name__ == "__main__":
    main()
