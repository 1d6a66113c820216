"""Installs Outlap with pip (ROS from PyPI wheels) and, as an ament_python package, with colcon (ROS from apt)."""

from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).resolve().parent  # colcon --symlink-install runs a link to this file elsewhere
NODES = (
    "camera",
    "policy",
    "motor",
    "hand",
    "joystick",
    "keyboard",
    "arm",
    "simulator",
    "gazebo",
    "gazebo_port",
    "gazebo_randomizer",
    "frames",
    "referee",
    "trainer",
    "viewer",
    "recorder",
)

# What the car needs: no torch, no compiler.
CAR = [
    "mcap>=1.6,<2",
    "mcap-ros2-support>=0.6,<1",
    "numpy>=1.26",
    "opencv-python-headless>=4.8,<5",
    "onnx>=1.16",
    "onnxruntime>=1.18",
    "pydantic>=2.7,<3",
    "pyyaml>=6",
    "rich>=13",
    "typer>=0.12",
]
EXTRAS = {
    # The buses of real cars' actuators.
    "car": ["smbus2>=0.4", "pyserial>=3.5,<4"],
    "sim": [
        "numba>=0.60",
        "scipy>=1.11",
        "matplotlib>=3.8",
        "pillow>=10",
        "av>=12",
        "clarabel>=0.9",
        "xacro>=2.1",
        "shapely>=2.0,<3",  # DeepRacer's reward parameters; its reward files may import it
    ],
    # An exact version, of which PyTorch's own index has a CPU build; see README.
    "train": ["torch==2.13.0", "rsl-rl-lib>=5.5,<6", "tensorboard>=2.14"],
    # One version of each: the index holds several ROS distributions under the same base names.
    "ros": [
        "ros-jazzy-rclpy[fastrtps]==7.1.6",
        "ros-jazzy-builtin-interfaces==2.0.3",
        "ros-jazzy-diagnostic-msgs==5.3.6",
        "ros-jazzy-geometry-msgs==5.3.6",
        "ros-jazzy-nav-msgs==5.3.6",
        "ros-jazzy-rosgraph-msgs==2.0.3",
        "ros-jazzy-sensor-msgs==5.3.6",
        "ros-jazzy-std-msgs==5.3.6",
        "ros-jazzy-std-srvs==5.3.6",
    ],
    "mutants": ["mutmut>=3.8,<4", "coverage>=7"],
    "bench": ["mujoco>=3.2", "stable-baselines3>=2.9,<3"],
    "dev": [
        "pytest>=8",
        "pytest-timeout>=2.3",
        "pytest-xdist>=3.6,<4",
        "ruff>=0.15,<1",
        "pyright[nodejs]>=1.1.400",
        "build>=1.2",
        "setuptools>=70.1",
    ],
}


def data_files() -> list[tuple[str, list[str]]]:
    """Every file below the data folders, under ``share/outlap`` as it lies in the checkout."""
    files: dict[str, list[str]] = {
        "share/ament_index/resource_index/packages": ["resource/outlap"],
        "share/outlap": ["package.xml"],
    }
    for folder in ("launch", "worlds", "urdf", "config"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file():
                relative = path.relative_to(ROOT)
                files.setdefault(f"share/outlap/{relative.parent}", []).append(str(relative))
    return list(files.items())


setup(
    name="outlap",
    version="0.1.0",
    description="Teaches a model car to drive from its camera in simulation; the same ROS 2 nodes drive the real car.",
    long_description=(ROOT / "README.md").read_text(),
    long_description_content_type="text/markdown",
    author="The Outlap developers",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=[*find_packages(include=["outlap", "outlap.*"]), "outlap_nodes", "outlap_nodes.shared"],
    package_dir={"outlap_nodes": "nodes"},
    data_files=data_files(),
    install_requires=CAR,
    extras_require=EXTRAS,
    entry_points={
        "console_scripts": [
            "outlap = outlap.cli.main:main",
            *(f"outlap_{node} = outlap_nodes.{node}:main" for node in NODES),
        ]
    },
)
