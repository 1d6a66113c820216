"""A real node gets its name, its parameters with their types, and answers a signal."""

from __future__ import annotations

import importlib.util
import json
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(importlib.util.find_spec("rclpy") is None, reason="starts a ROS node: needs rclpy"),
]

NODE = """#!{python}
import json, signal, sys
import rclpy
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
# Before there are threads, which take over the mask.
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
rclpy.init(args=sys.argv, signal_handler_options=SignalHandlerOptions.NO)
node = Node("unnamed", automatically_declare_parameters_from_overrides=True)
values = {{name: parameter.value for name, parameter in node.get_parameters_by_prefix("").items()}}
values = {{name: list(value) if hasattr(value, "tolist") else value for name, value in values.items()}}
print(json.dumps([node.get_fully_qualified_name(), node.resolve_topic_name("a"), values]), flush=True)
signal.sigwait([signal.SIGTERM])
node.destroy_node()
rclpy.shutdown()
print("bye", flush=True)
"""


def test_a_node_gets_what_the_file_says(
    write: Callable[..., Path],
    start: Callable[..., subprocess.Popen[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    program = tmp_path / "lib" / "probe_package" / "probe"
    program.parent.mkdir(parents=True)
    program.write_text(NODE.format(python=sys.executable))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    (tmp_path / "p.yaml").write_text("probe:\n  ros__parameters:\n    over: 1\n    kept: 2\n")
    path = write(
        """<arg name="text"/>
        <node pkg="probe_package" exec="probe" name="probe">
          <param from="$(dirname)/p.yaml"/>
          <param name="over" value="3"/>
          <param name="use_sim_time" value="true"/>
          <param name="number" value="-3"/>
          <param name="real" value="2.0"/>
          <param name="small" value="1e-5"/>
          <param name="flag" value="false"/>
          <param name="text" value="$(var text)" type="str"/>
          <param name="digits" value="007" type="str"/>
          <param name="y" value="y" type="str"/>
          <param name="empty" value=""/>
          <param name="reals" value="[1.0, 2.5]"/>
          <param name="texts" value="['a b', 'y']"/>
          <remap from="a" to="/other"/>
        </node>"""
    )
    text = "/a b/c:d 'é\" \\ := .onnx"
    runner = start(path, f"text:={text}")
    assert runner.stdout is not None
    name, topic, values = json.loads(runner.stdout.readline().removeprefix("[probe] "))
    runner.send_signal(signal.SIGINT)
    out, err = runner.communicate(timeout=60)
    assert runner.returncode == 130, err
    assert "[probe] bye" in out
    assert (name, topic) == ("/probe", "/other")
    expected = {
        "over": 3,
        "kept": 2,
        "use_sim_time": True,
        "number": -3,
        "real": 2.0,
        "small": 1e-5,
        "flag": False,
        "text": text,
        "digits": "007",
        "y": "y",
        "empty": "",
        "reals": [1.0, 2.5],
        "texts": ["a b", "y"],
    }
    values = {key: value for key, value in values.items() if key in expected}
    assert values == expected
    assert {key: type(value) for key, value in values.items()} == {key: type(value) for key, value in expected.items()}
