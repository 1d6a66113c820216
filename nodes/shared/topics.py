"""Every topic and service of Outlap's graphs: its name, type, quality of service, and what it says.

    self._commands = topics.COMMAND.publisher(self)
    topics.VIEW.subscription(self, self._show)

Names are relative, so that a graph runs under any namespace: a node without one publishes on ``/cmd_vel``, a node in
``/car1`` on ``/car1/cmd_vel``. tests/nodes/test_topics.py compares the tables in the docs with this file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, Literal, TypeVar

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped, TwistStamped
from nav_msgs.msg import Odometry
from rcl_interfaces.srv import GetParameters
from rclpy.callback_groups import CallbackGroup
from rclpy.client import Client
from rclpy.lifecycle import LifecycleNode
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.service import Service as ServiceServer
from rclpy.subscription import Subscription
from rclpy.topic_endpoint_info import TopicEndpointInfo
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import BatteryState, CameraInfo, CompressedImage, Image, JointState, Joy
from std_msgs.msg import Float64
from std_srvs.srv import SetBool, Trigger

from outlap.recording import names

from .messages import CURRENT, LATEST, RECORD, STREAM
from .unheard import tell_of_unheard

MessageT = TypeVar("MessageT")
# Readers that deliberately read with a quality of their own, for the reasons that stand below, where they are named.
Reader = Literal["recorder", "lesson", "newest"]

# The recorder's are deeper than of those who act on a message: a moment's delay must not make a hole in a recording.
RECORDED_STREAM = QoSProfile(depth=30, reliability=ReliabilityPolicy.BEST_EFFORT)
RECORDED = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)


class Topic(Generic[MessageT]):
    """One topic.

    Attributes:
        name: relative, without a slash in front.
        type: the message class; of a package that pip does not bring, its name, such as ``tf2_msgs/msg/TFMessage``.
        qos: what its writer offers and its readers ask for.
        meaning: one line.
        public: whether it is for others, too, and so stands in a table of the docs.
        readers: the quality of those readers that deliberately differ.
    """

    def __init__(
        self,
        name: str,
        kind: type[MessageT],
        qos: QoSProfile,
        meaning: str,
        *,
        public: bool = True,
        readers: Mapping[Reader, QoSProfile] | None = None,
    ) -> None:
        self.name, self.type, self.qos, self.meaning, self.public = name, kind, qos, meaning, public
        self.readers = dict(readers or {})

    def reads(self, reader: Reader | None = None) -> QoSProfile:
        """The quality that ``reader`` asks for; by default what the writer offers."""
        return self.qos if reader is None else self.readers[reader]

    def publisher(self, node: Node) -> Publisher:
        """A publisher of ``node``."""
        return node.create_publisher(self.type, self.name, self.qos)

    def lifecycle_publisher(self, node: LifecycleNode) -> Publisher:
        """A publisher of ``node`` that is silent while the node is not active."""
        return node.create_lifecycle_publisher(self.type, self.name, self.qos)

    def subscription(
        self,
        node: Node,
        callback: Callable[..., Any],
        reader: Reader | None = None,
        *,
        raw: bool = False,
        callback_group: CallbackGroup | None = None,
    ) -> Subscription:
        """A subscription of ``node``; a publisher that it cannot hear is told of in one sentence in the node's log."""
        qos = self.reads(reader)
        return node.create_subscription(
            self.type,
            self.name,
            callback,
            qos,
            raw=raw,
            callback_group=callback_group,
            event_callbacks=tell_of_unheard(node, self.name, qos),
        )

    def resolved(self, node: Node) -> str:
        """The full name that it has for ``node``, such as ``/car1/cmd_vel``."""
        return node.resolve_topic_name(self.name)

    def publishers(self, node: Node) -> list[TopicEndpointInfo]:
        """Who publishes on it, as far as ``node`` has discovered."""
        return node.get_publishers_info_by_topic(self.name)


class Service:
    """One service: its relative name, type and meaning; ``public`` as for a :class:`Topic`."""

    def __init__(self, name: str, kind: type, meaning: str, *, public: bool = True) -> None:
        self.name, self.type, self.meaning, self.public = name, kind, meaning, public

    def client(self, node: Node) -> Client:
        """A client of ``node``."""
        return node.create_client(self.type, self.name)

    def server(self, node: Node, answer: Callable[..., Any]) -> ServiceServer:
        """The service, offered by ``node``."""
        return node.create_service(self.type, self.name, answer)


# What every simulator offers.

CLOCK = Topic("clock", Clock, STREAM, "the simulator's time; never goes back")
SIM_IMAGE = Topic("sim/camera/image_raw", Image, STREAM, "what the simulated camera sees, rgb8")
SIM_CAMERA_INFO = Topic("sim/camera/camera_info", CameraInfo, STREAM, "the simulated camera's intrinsics")
ODOMETRY = Topic(
    names.ODOMETRY,
    Odometry,
    LATEST,
    "ground truth of base_link",
    # A lesson is made of whole moments, so that it must not miss one while it learns.
    readers={"recorder": RECORDED, "lesson": RECORD},
)
STEERING = Topic("sim/steering_angle", Float64, LATEST, "rad, left positive, of the single-track model's front wheel")
WHEEL_SPEED = Topic("sim/wheel_speed", Float64, LATEST, "rad/s")
SET_POSE = Topic("sim/set_pose", PoseStamped, LATEST, "put the car there, at rest", readers={"lesson": RECORD})

# The car's own, in every world.

VIEW = Topic(
    names.VIEW, Image, STREAM, "the canonical view, stamped at exposure", readers={"recorder": RECORDED_STREAM}
)
CAMERA_INFO = Topic(
    names.CAMERA_INFO,
    CameraInfo,
    STREAM,
    "intrinsics of the canonical view",
    readers={"recorder": RECORDED_STREAM},
)
RAW_JPEG = Topic(
    names.RAW,
    CompressedImage,
    STREAM,
    "the camera's own picture as JPEG, only while somebody listens",
    readers={"recorder": RECORDED_STREAM},
)
COMMAND = Topic(
    names.COMMAND,
    TwistStamped,
    LATEST,
    "the policy's command, stamped as the image that it came from",
    readers={"recorder": RECORDED, "lesson": RECORD},
)
HAND_COMMAND = Topic(
    names.HAND_COMMAND,
    TwistStamped,
    LATEST,
    "a person's command; wins inside the gate",
    readers={"recorder": RECORDED},
)
MOTOR_STATE = Topic(
    names.MOTOR_STATE,
    JointState,
    RECORD,
    "what was really sent to the actuator, stamped as the image that it answers",
    # Who wants to know only how it stands now, as the camera does, and no history.
    readers={"recorder": RECORDED, "newest": LATEST},
)
BATTERY = Topic("battery_state", BatteryState, RECORD, "the battery's voltage, where the actuator reports one; 1 Hz")
DIAGNOSTICS = Topic(
    names.DIAGNOSTICS,
    DiagnosticArray,
    RECORD,
    "each node's own words: health, rates, latency",
    readers={"recorder": RECORDED},
)
TRAINER_STATUS = Topic("trainer/status", DiagnosticArray, CURRENT, "how training stands; a late reader gets it at once")
JOY = Topic(
    names.JOY,
    Joy,
    RECORD,
    "a joystick's axes and buttons, 20 Hz or more; silent when it is gone",
    readers={"recorder": RECORDED_STREAM},  # a joystick's publisher may be of either kind
)
GAMEPAD = Topic(
    names.GAMEPAD,
    Joy,
    RECORD,
    "a pad's controls in one layout, that of ROS's game_controller_node, 20 Hz or more; silent when it is gone",
    readers={"recorder": RECORDED_STREAM},
)
JOINT_STATES = Topic("joint_states", JointState, RECORD, "joints of the car's model, for RViz", public=False)

# Between gazebo_port and Gazebo's bridge; nothing else should use them.

GAZEBO_ODOMETRY = Topic("gazebo/odom", Odometry, RECORD, "Gazebo's ground truth", public=False)
GAZEBO_IMAGE = Topic("gazebo/camera/image_raw", Image, STREAM, "Gazebo's pinhole picture", public=False)
GAZEBO_CAMERA_INFO = Topic("gazebo/camera/camera_info", CameraInfo, STREAM, "that pinhole", public=False)


def gazebo_joint(joint: str) -> Topic[Float64]:
    """What a joint of Gazebo's car is to do, rad or rad/s; ``joint`` such as ``wheel/rear_left``."""
    return Topic(f"gazebo/{joint}", Float64, LATEST, "command of one joint", public=False)


def transforms(kind: type) -> Topic[Any]:
    """``tf``; ``kind`` is tf2_msgs' TFMessage, which pip does not bring."""
    return Topic("tf", kind, RECORD, "odom to base_link, for RViz", public=False)


ARM = Service("motor/arm", SetBool, "arm, or disarm: nothing moves before it")
MOTOR_PARAMETERS = Service("motor/get_parameters", GetParameters, "which car the motor drives", public=False)
PAUSE = Service("trainer/pause", Trigger, "training stands still")
PROCEED = Service("trainer/proceed", Trigger, "training goes on")
SAVE = Service("trainer/save", Trigger, "keep the policy as it is now in a file of its own")


def gazebo_service(request: str, kind: type) -> Service:
    """Gazebo's service for its world, as the bridge offers it: ``create``, ``remove`` or ``set_pose``."""
    return Service(f"world/outlap/{request}", kind, "Gazebo's own", public=False)


TOPICS: tuple[Topic[Any], ...] = tuple(value for value in list(globals().values()) if isinstance(value, Topic))
SERVICES: tuple[Service, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Service))
