"""trainer: trains as ``outlap train`` does, tells how it is getting on, and pauses, goes on and saves when asked.

With the parameter ``live`` it lets the student of a finished run go on learning from the car that drives beside it.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from std_srvs.srv import Trigger

from outlap.files import Model, lock_folder
from outlap.learning.runs.control import Control
from outlap.learning.runs.status import Status

from .shared import topics
from .shared.program import OK, Diagnostics, LifecycleProgram, read_parameters, run, seconds, steady_clock
from .shared.statuses import TrainerStatus, to_message

if TYPE_CHECKING:
    from outlap.learning.live.lesson import Lesson
    from outlap.learning.runs.run import Progress

    from .shared.lesson_feed import Hearing

TICK = 0.25  # s between two looks at the run
TELL_EVERY = 5.0  # s between two lines about it
# Of the threads that train while a car drives beside them: its 30 pictures a second must not wait for them.
NICENESS = 10


class Parameters(Model):
    """See config/drive.yaml."""

    preset: str
    config: str
    out: Annotated[str, Field(min_length=1)]
    seed: Annotated[int, Field(ge=0)]
    car: str
    resume: bool
    watch: bool
    live: bool
    track: str
    minutes: Annotated[float, Field(ge=0)]


class TrainerNode(LifecycleProgram):
    """A training run in a thread, with its status out and requests in."""

    def __init__(self) -> None:
        super().__init__("trainer")
        self._control = Control()
        self._status = Status()
        self._held = contextlib.ExitStack()
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None
        self._phase = "starting"
        self._hearing: Hearing | None = None

    @property
    def phase(self) -> str:
        """``starting``, ``training``, ``paused`` or ``finished``."""
        return "paused" if self._phase == "training" and self._control.paused else self._phase

    def configure(self) -> None:
        self._settings = parameters = read_parameters(self, Parameters)
        # Threads that wait must not burn the core that another one needs; read when torch is first imported.
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
        # The launcher's, for nodes that share the cores; this one is what the cores are for.
        os.environ.pop("OMP_NUM_THREADS", None)
        from outlap.vehicle.car import load_car

        self._out = Path(parameters.out)
        self._car = load_car(parameters.car)  # before the slow imports
        from outlap.learning.config import load_training

        known = parameters.resume or parameters.live
        self._training = None if known else load_training(parameters.config or parameters.preset, self._car)
        self._held.enter_context(lock_folder(self._out))
        self._steady = steady_clock()
        self._lesson = self._prepared() if parameters.live else None
        self._told = seconds(self._steady), 0  # when, and after how many reports
        self._published, self._saved = (-1, ""), 0
        self._states = topics.TRAINER_STATUS.publisher(self)
        self._diagnostics = Diagnostics(self, self._describe)
        topics.PAUSE.server(self, self._pause)
        topics.PROCEED.server(self, self._proceed)
        topics.SAVE.server(self, self._save)
        self.create_timer(TICK, self._tick, clock=self._steady)

    def _prepared(self) -> Lesson:
        """The lesson, and ears for it."""
        from outlap.learning.live.lesson import Lesson, load_live
        from outlap.track.formats import load_track

        from .shared.lesson_feed import Hearing

        given = {"minutes": self._settings.minutes} if self._settings.minutes else {}
        track = load_track(self._settings.track)
        lesson = Lesson(self._out, track, self._car, load_live(**given), self._heard, self._control)
        self._hearing = Hearing(self, lesson, self._car, seconds(self._steady))
        return lesson

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        if self._thread is None:
            self._thread = threading.Thread(target=self._train, name="training", daemon=True)
            self._thread.start()
            self._phase = "training"
        self._control.proceed()
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._control.pause()
        return super().on_deactivate(state)

    def close(self) -> None:
        """End the run between two steps, and wait for that; its last finished iteration is saved."""
        if self._thread is not None and self._thread.is_alive():
            self._control.stop()
            self._thread.join()
            ways = "the same command" if self._lesson else f"outlap train --resume {self._out}, or resume:=true"
            self.get_logger().info(f"stopped; to go on: {ways}")
        self._held.close()

    def _train(self) -> None:
        """The thread: the whole run."""
        from outlap.learning.runs.run import resume, train

        if self._settings.watch or self._lesson:
            os.setpriority(os.PRIO_PROCESS, 0, NICENESS)  # on Linux: of this thread, and of those that it starts
        try:
            if self._lesson is not None:
                self._result = self._lesson.run()
            elif self._training is None:
                self._result = resume(self._out, self._heard, self._control)
            else:
                self._result = train(
                    self._training, self._car, self._out, self._settings.seed, self._heard, self._control
                )
        except BaseException as error:  # raised again where it is seen
            self._failure = error

    def _heard(self, progress: Progress) -> None:
        self._status.add(seconds(self._steady), progress)

    def _tick(self) -> None:
        now = seconds(self._steady)
        if self._thread is not None and not self._thread.is_alive() and self._phase != "finished":
            if self._failure is not None:
                raise self._failure
            self._finish()
        if self._hearing is not None and self._phase == "training":
            self._hearing.check(now, self.phase == "paused")
        if self._published != (state := (self._status.reports, self.phase)):
            self._published = state
            self._states.publish(to_message(self, *self._describe()))
        if self.phase == "paused":
            self._status.paused()
        if self._control.saved > self._saved:
            self._saved = self._control.saved
            self.get_logger().info("saved")
        if self.phase == "training" and now - self._told[0] >= TELL_EVERY and self._status.reports > self._told[1]:
            self._told = now, self._status.reports
            self.get_logger().info(self._status.line())

    def _finish(self) -> None:
        self._phase = "finished"
        self.get_logger().info(f"finished: {self._result}")
        if self._settings.watch:
            self.get_logger().info("the car drives on; Ctrl-C ends it")
        else:
            self.exit_code = 0

    def _pause(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        return self._ask(self._control.pause, "pausing", response)

    def _proceed(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        return self._ask(self._control.proceed, "going on", response)

    def _save(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        if self._status.values().get("stage") not in ("student", "live"):
            response.success, response.message = False, "there is no policy to keep yet"
            return response
        return self._ask(self._control.save, "keeping the policy as it is now", response)

    def _ask(self, request: Callable[[], None], words: str, response: Trigger.Response) -> Trigger.Response:
        """Pass a request on to the run, while there is one."""
        response.success = self._phase == "training"
        response.message = words if response.success else f"there is nothing to ask of: the run is {self._phase}"
        if response.success:
            request()
        return response

    def _describe(self) -> tuple[bytes, str, TrainerStatus]:
        more = {} if self._hearing is None else {"unused_pictures": self._hearing.pairing.dropped}
        values = TrainerStatus(state=self.phase, **self._status.values(), **more)
        return OK, f"{self.phase}: {self._status.line()}", values


def main() -> None:
    run(TrainerNode)


if __name__ == "__main__":
    main()
