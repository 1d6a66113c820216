"""What every node program shares: parameters, bringing itself up, diagnostics, and an end without a traceback."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TypeVar

import rclpy
import rclpy.utilities
from diagnostic_msgs.msg import DiagnosticStatus
from pydantic import RootModel
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.executors import SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.signals import SignalHandlerOptions

from outlap.errors import OutlapError
from outlap.files import Model, read_yaml, share_directory, validate

from . import topics
from .statuses import NodeStatus, to_message
from .transport import choose_transport

ModelT = TypeVar("ModelT", bound=Model)
ResultT = TypeVar("ResultT")

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
# rclpy's own parameters, which no configuration of ours describes.
ROS_PARAMETERS = ("use_sim_time", "start_type_description_service", "qos_overrides")


def steady_clock() -> Clock:
    """The clock that neither steps nor stops: for timers, receipt ages and rates in every world."""
    return Clock(clock_type=ClockType.STEADY_TIME)


def seconds(clock: Clock) -> float:
    """A clock's reading in seconds."""
    return clock.now().nanoseconds * 1e-9


class Section(Model):
    """One node's parameters, as ROS writes them."""

    ros__parameters: dict[str, object]


class DriveFile(RootModel[dict[str, Section]]):
    """``config/drive.yaml``: a section for each node."""


def read_parameters(node: Node, model: type[ModelT]) -> ModelT:
    """The node's parameters: ``config/drive.yaml``'s, with those given at start in their place.

    Raises:
        OutlapError: a parameter is unknown, missing or out of range; the message names node and parameter.
    """
    sections = read_yaml(share_directory() / "config" / "drive.yaml", DriveFile, "node parameters").root
    if node.get_name() not in sections:
        raise OutlapError(
            f"config/drive.yaml has no parameters for a node named {node.get_name()!r}: do not rename it."
        )
    defaults = sections[node.get_name()].ros__parameters
    given = {name: node.get_parameter(name).value for name in node.get_parameters_by_prefix("")}
    own = {name: value for name, value in given.items() if name.split(".")[0] not in ROS_PARAMETERS}
    parameters = validate(
        {**defaults, **own}, model, f"parameters of {node.get_fully_qualified_name()}", "configuration"
    )
    values = parameters.model_dump(by_alias=True)
    for name, value in values.items():
        if not node.has_parameter(name):
            node.declare_parameter(name, value)

    def refuse(wanted: list[Parameter]) -> SetParametersResult:
        # Accepting what changes nothing would be a lie: a speed cap, for one.
        late = [parameter.name for parameter in wanted if parameter.name in values]
        name = node.get_fully_qualified_name()
        reason = f"{late[0]} counts only at the start: start {name} anew with it" if late else ""
        return SetParametersResult(successful=not late, reason=reason)

    node.add_on_set_parameters_callback(refuse)
    return parameters


class Diagnostics:
    """Publishes a node's status on diagnostics each second, and at once when asked."""

    def __init__(self, node: Node, status: Callable[[], tuple[bytes, str, NodeStatus]]) -> None:
        self._node, self._status = node, status
        self._publisher = topics.DIAGNOSTICS.publisher(node)
        self._timer = node.create_timer(1.0, self.publish, clock=steady_clock())

    def publish(self) -> None:
        """Publish the status as it is now."""
        self._publisher.publish(to_message(self._node, *self._status()))


class LifecycleProgram(LifecycleNode):
    """A lifecycle node that brings itself up; a subclass has ``configure`` and may have the other steps."""

    def __init__(self, name: str) -> None:
        super().__init__(name, automatically_declare_parameters_from_overrides=True)
        self.exit_code: int | None = None
        self._refusal: Exception | None = None

    def configure(self) -> None:
        """Read parameters, open the device, create publishers and subscriptions."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of the device; called once at the end, also after a failed start."""

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            self.configure()
        except Exception as error:  # rclpy would swallow it
            self._refusal = error
            return TransitionCallbackReturn.FAILURE
        return TransitionCallbackReturn.SUCCESS

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        # What configure created lives as long as the process: end that, and start it anew, instead.
        self.get_logger().error("cleanup is not supported: restart the program to configure it anew")
        return TransitionCallbackReturn.FAILURE

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        # A node that is finalized must not go on as before: a motor that is armed would.
        self.exit_code = 0
        return super().on_shutdown(state)

    def bring_up(self) -> None:
        """Configure and activate.

        Raises:
            OutlapError: the configuration was refused.
        """
        for transition in (self.trigger_configure, self.trigger_activate):
            if transition() is not TransitionCallbackReturn.SUCCESS:
                raise self._refusal or OutlapError(f"{self.get_fully_qualified_name()} could not be brought up.")


class _Stopped(BaseException):
    """A signal came while the node was still being built."""


def run(build: Callable[[], Node]) -> None:
    """A node program's main: build the node, spin until SIGINT, SIGTERM or ``node.exit_code``, close it, exit.

    A signal waits for the callback in hand, unless the node says that it is ``interruptible``.
    Exit codes: 0 after a signal, the node's own ``exit_code`` when it set one, 2 after a refusal in one sentence.
    """
    stopped, spinning, closing = False, False, False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopped, closing
        stopped = True
        if not closing and (not spinning or getattr(node, "interruptible", False)):
            closing = True  # a second signal must not interrupt what this one leads to
            raise _Stopped

    node: Node | None = None
    code = 0
    try:
        # rclpy's own handlers would close the middleware before the motor could write its last neutral.
        signal.signal(signal.SIGINT, stop)
        signal.signal(signal.SIGTERM, stop)
        _init(build)
        node = _in_a_sentence(build)
        if isinstance(node, LifecycleProgram):
            _in_a_sentence(node.bring_up)
        spinning = True
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        spin_once = getattr(node, "spin_once", lambda executor: executor.spin_once(timeout_sec=0.1))
        while not stopped and getattr(node, "exit_code", None) is None:
            spin_once(executor)
        code = getattr(node, "exit_code", None) or 0
    except OutlapError as error:
        closing = True
        print(f"error: {error}", file=sys.stderr)
        code = error.exit_code
    except _Stopped:
        stopped = True
    finally:
        closing = True
        getattr(node, "close", lambda: None)()
        rclpy.utilities.try_shutdown()
    sys.exit(code)


def _init(build: Callable[[], Node]) -> None:
    """Start ROS with the command line's ``--ros-args``; print help where it is asked for."""
    try:
        others = rclpy.utilities.remove_ros_args(sys.argv)[1:]
        if {"-h", "--help"} & set(others):
            print(sys.modules[build.__module__].__doc__)
            print("Parameters: --ros-args -p NAME:=VALUE, see config/drive.yaml.")
            sys.exit(0)
        if others:
            raise OutlapError(f"unknown argument {others[0]!r}: parameters are given as --ros-args -p NAME:=VALUE.")
        choose_transport()
        rclpy.init(args=_with_own_rules(build, sys.argv), signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:  # the base of ROS's own errors
        raise OutlapError(f"ROS does not start: {' '.join(str(error).split())}.") from error


def _in_a_sentence(step: Callable[[], ResultT]) -> ResultT:
    """What a step of the start returns; what the middleware refuses, such as bad keys, is told in one sentence."""
    try:
        return step()
    except rclpy_implementation.RCLError as error:
        raise OutlapError(f"ROS does not start the node: {' '.join(str(error).split())}.") from error


def _with_own_rules(build: Callable[[], Node], words: list[str]) -> list[str]:
    """The command line with the program's own enclave and with the clock of its own graph; what is given stands.

    The enclave is one of config/security/policy.xml, of no effect without ROS security. rclpy listens to ``/clock``,
    whatever the node's namespace; with this rule a node in ``/car1`` follows ``/car1/clock``, and one without a
    namespace ``/clock`` as before. It stands last, because the first rule that fits counts.
    """
    words = [*words, "--ros-args", "-r", "/clock:=clock"]
    file = getattr(sys.modules[build.__module__], "__file__", None)
    # No file: a node of somebody's own, made on the command line or in a notebook.
    if "--enclave" in words or "-e" in words or file is None:
        return words
    return [words[0], "--ros-args", "--enclave", f"/outlap/{Path(file).stem}", "--", *words[1:]]
