"""gazebo: puts the car into a world and runs Gazebo with it, for as long as this node lives."""

from __future__ import annotations

import os
import signal
import subprocess

from rclpy.executors import Executor
from rclpy.node import Node

from outlap.files import Model
from outlap.gazebo.assemble import assemble, resource_path
from outlap.gazebo.model import car_sdf, car_urdf
from outlap.gazebo.program import gazebo_command
from outlap.scratch import Scratch
from outlap.track.footing import start_pose
from outlap.track.formats import load_track
from outlap.track.geometry import TrackSet

from .shared.program import OK, Diagnostics, read_parameters, run, seconds, steady_clock
from .shared.single_simulator import NEWCOMER, check_company, refuse_company, refuse_namespace
from .shared.statuses import GazeboStatus

LOOK = 0.2  # s between two looks whether Gazebo still runs
ESCALATION = ((signal.SIGINT, 3.0), (signal.SIGTERM, 2.0), (signal.SIGKILL, 2.0))  # s that each one gets


class Parameters(Model):
    """See config/drive.yaml."""

    world: str
    track: str
    car: str
    headless: bool


class GazeboNode(Node):
    """A world in, a running Gazebo out; ends when that does, with its exit code."""

    def __init__(self) -> None:
        super().__init__("gazebo", automatically_declare_parameters_from_overrides=True)
        self.exit_code: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        refuse_namespace(self)
        parameters = read_parameters(self, Parameters)
        self._folder = Scratch("outlap-gazebo-")
        path = self._folder.path / "world.sdf"
        self._command = gazebo_command(path, parameters.headless)
        resources = resource_path(parameters.world, os.environ.get("GZ_SIM_RESOURCE_PATH", ""))
        self._environment = {**os.environ, "GZ_SIM_RESOURCE_PATH": resources}
        start = None  # the world's own
        if parameters.track not in ("", parameters.world):
            start = start_pose(TrackSet([load_track(parameters.track)]))
        path.write_text(assemble(parameters.world, car_sdf(car_urdf(parameters.car)), path.parent, start))
        refuse_company(self)
        self._steady = steady_clock()
        self._newcomer = seconds(self._steady) + NEWCOMER  # until then
        self._diagnostics = Diagnostics(self, self._status)

    def spin_once(self, executor: Executor) -> None:
        """Start Gazebo, then look whether it still runs."""
        if self._process is None:
            self.get_logger().info(" ".join(self._command))
            # Whatever ends this program, Gazebo ends with it: util-linux's setpriv becomes gz and leaves that behind.
            command = ["setpriv", "--pdeathsig", "TERM", *self._command]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, env=self._environment)
        executor.spin_once(timeout_sec=LOOK)
        code = self._process.poll()
        self.exit_code = 128 - code if code is not None and code < 0 else code  # after a signal as a shell has it

    def close(self) -> None:
        """End Gazebo, and remove what was written for it."""
        if self._process is not None:
            for number, patience in ESCALATION:
                self._process.send_signal(number)  # nothing where it has ended
                try:
                    self._process.wait(patience)
                    break
                except subprocess.TimeoutExpired:
                    continue
        self._folder.close()

    def _status(self) -> tuple[bytes, str, GazeboStatus]:
        # On a busy machine discovery can take longer than the wait before the start.
        if seconds(self._steady) < self._newcomer:
            check_company(self, beside="gazebo_port")
        return OK, "running", GazeboStatus(partition=os.environ.get("GZ_PARTITION", ""))


def main() -> None:
    run(GazeboNode)


if __name__ == "__main__":
    main()
