"""A recording's folder as a ``ros2 bag``: its name, and the ``metadata.yaml`` by which rosbag2 finds the files.

``metadata.yaml`` is of rosbag2's version 9, ROS 2 Jazzy's (rosbag2_storage/include/rosbag2_storage/yaml.hpp there).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import yaml

from outlap.errors import OutlapError
from outlap.files import write_atomic
from outlap.recording.tape import Facts

METADATA = "metadata.yaml"
VERSION = 9
MOST = 1000  # recordings of one second


def make_folder(out: Path, moment: datetime) -> Path:
    """A new folder in ``out`` for the recording that begins at ``moment``, named by it.

    Raises:
        OutlapError: it cannot be made.
    """
    name = f"drive_{moment:%Y-%m-%d_%H-%M-%S}"
    try:
        out.mkdir(parents=True, exist_ok=True)
        for number in range(1, MOST):  # a car without a clock begins every drive at the same moment
            folder = out / (name if number == 1 else f"{name}_{number}")
            try:
                folder.mkdir()
            except FileExistsError:
                continue
            return folder
    except OSError as error:
        raise OutlapError(f"cannot write to {out}: {error.strerror or error}.") from error
    raise OutlapError(f"{out} holds {MOST} recordings of the same second: remove some, or choose another folder.")


def write_metadata(folder: Path, files: Sequence[Facts]) -> None:
    """Write ``metadata.yaml`` for ``files``, in the order of time.

    Raises:
        OutlapError: it cannot be written.
    """
    filled = [facts for facts in files if facts.total]
    begin = min((facts.begin for facts in filled), default=0)
    end = max((facts.end for facts in filled), default=0)
    types: dict[str, str] = {}
    for facts in files:
        types |= facts.types
    content = {
        "version": VERSION,
        "storage_identifier": "mcap",
        **_span(begin, end),
        "message_count": sum(facts.total for facts in files),
        "topics_with_message_count": [
            {
                "topic_metadata": {
                    "name": topic,
                    "type": kind,
                    "serialization_format": "cdr",
                    "offered_qos_profiles": [],
                    "type_description_hash": "",
                },
                "message_count": sum(facts.messages.get(topic, 0) for facts in files),
            }
            for topic, kind in sorted(types.items())
        ],
        "compression_format": "",
        "compression_mode": "",
        "relative_file_paths": [facts.path.name for facts in files],
        "files": [
            {"path": facts.path.name, **_span(facts.begin, facts.end), "message_count": facts.total} for facts in files
        ],
        "custom_data": {},
        "ros_distro": "jazzy",
    }
    write_atomic(folder / METADATA, yaml.safe_dump({"rosbag2_bagfile_information": content}, sort_keys=False))


def _span(begin: int, end: int) -> dict[str, dict[str, int]]:
    return {"duration": {"nanoseconds": end - begin}, "starting_time": {"nanoseconds_since_epoch": begin}}
