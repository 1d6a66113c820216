"""Recordings made by an independent writer, mcap-ros2-support's."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from foreign_messages import DEFINITIONS, Entry
from mcap.writer import CompressionType
from mcap_ros2.writer import Writer


@pytest.fixture
def foreign(tmp_path: Path) -> Callable[..., Path]:
    """``foreign([(topic, type, content), …])``: a recording by somebody else, one message each 10 ms."""

    def make(
        entries: Iterable[Entry],
        name: str = "drive.mcap",
        compression: CompressionType = CompressionType.ZSTD,
        chunk_size: int = 20_000,
    ) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            writer = Writer(file, chunk_size=chunk_size, compression=compression)
            schemas: dict[str, Any] = {}
            for row, (topic, kind, content) in enumerate(entries):
                if kind not in schemas:
                    schemas[kind] = writer.register_msgdef(kind, DEFINITIONS[kind])
                at = 1_000_000_000 + row * 10_000_000
                writer.write_message(topic, schemas[kind], content, log_time=at, publish_time=at)
            writer.finish()
        return path

    return make
