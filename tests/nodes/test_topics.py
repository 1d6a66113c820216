"""nodes/shared/topics.py owns every name: no node has one of its own, and the docs' tables say the same."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from outlap_nodes.shared import topics
from outlap_nodes.shared.topics import SERVICES, TOPICS, Service, Topic
from rclpy.qos import DurabilityPolicy, QoSCompatibility, ReliabilityPolicy, qos_check_compatible

from outlap.files import share_directory
from outlap.recording import names

ROOT = share_directory()
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TABLES = [ROOT / "README.md", ROOT / "docs" / "architecture.md"]  # where types stand, too
QUOTED = re.compile(r"`/([a-z_]+(?:/[a-z_]+)*)`")
KIND = re.compile(r"\b([a-z]+(?:_[a-z]+)+)/([A-Z]\w+)|\b(CameraInfo)\b")
CREATES = ("create_publisher", "create_lifecycle_publisher", "create_subscription", "create_service", "create_client")


def by_name() -> dict[str, Topic | Service]:
    return {entry.name: entry for entry in (*TOPICS, *SERVICES)}


def rows(path: Path) -> list[tuple[list[str], str]]:
    """Names in the first cell of each row of a page's tables, and the rest of the row."""
    found = []
    for line in path.read_text().splitlines():
        cells = line.strip().strip("|").split("|")
        if line.startswith("|") and (inside := QUOTED.findall(cells[0])):
            found.append((inside, "|".join(cells[1:])))
    return found


def kind_name(entry: Topic | Service) -> str:
    return f"{entry.type.__module__.split('.')[0]}/{entry.type.__name__}"


def test_names_are_relative_and_each_has_one_owner() -> None:
    owned = [entry.name for entry in (*TOPICS, *SERVICES)]
    assert len(set(owned)) == len(owned)
    for entry in (*TOPICS, *SERVICES):
        assert not entry.name.startswith(("/", "~")), entry.name
        assert entry.meaning


def test_no_node_has_a_name_or_a_quality_of_its_own() -> None:
    for path in sorted((ROOT / "nodes").rglob("*.py")):
        if path.name == "topics.py":
            continue
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
                assert call.func.attr not in CREATES, f"{path}, line {call.lineno}: use topics.py"
                assert call.func.attr != "count_publishers", f"{path}, line {call.lineno}: it does not remap"
            if isinstance(call, ast.Constant) and isinstance(call.value, str):
                absolute = call.value.startswith("/") and call.value[1:] in by_name()
                assert not absolute, f"{path}, line {call.lineno}: {call.value} is absolute"


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_every_reader_can_hear_the_writer(topic: Topic) -> None:
    for reader, qos in topic.readers.items():
        compatibility, reason = qos_check_compatible(topic.qos, qos)
        assert compatibility != QoSCompatibility.ERROR, f"{topic.name}, {reader}: {reason}"


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.name)
def test_a_table_says_what_the_code_does(path: Path) -> None:
    known, told = by_name(), rows(path)
    assert told
    for inside, rest in told:
        kinds = [
            f"{package}/{name}" if package else name
            for package, name, alone in KIND.findall(rest)
            for name in [name or alone]
        ]
        assert kinds, f"{path}: no type stands beside {inside}"
        for place, name in enumerate(inside):
            entry = known.get(name)
            assert entry is not None, f"{path}: /{name} is in no way ours"
            wanted = kinds[min(place, len(kinds) - 1)]
            assert kind_name(entry).endswith(wanted), f"{path}: /{name} is of type {kind_name(entry)}, not {wanted}"
            if isinstance(entry, Topic):
                _check_quality(entry, rest)


def _check_quality(topic: Topic, words: str) -> None:
    """What the words say of quality; nothing is said of many."""
    qos = topic.qos
    if "best effort" in words:
        assert qos.reliability is ReliabilityPolicy.BEST_EFFORT, topic.name
    if re.search(r"\breliable\b", words):
        assert qos.reliability is ReliabilityPolicy.RELIABLE, topic.name
    if found := re.search(r"depth (\d+)", words):
        assert qos.depth == int(found[1]), topic.name
    late = qos.durability is DurabilityPolicy.TRANSIENT_LOCAL
    assert late or "transient local" not in words, topic.name


def test_the_architectures_tables_say_each_topics_quality() -> None:
    for inside, rest in rows(ROOT / "docs" / "architecture.md"):
        for name in inside:
            if isinstance(by_name()[name], Topic):
                assert re.search(r"best effort|\breliable\b", rest), f"/{name}: no quality is told"
                assert re.search(r"depth \d", rest), f"/{name}: no depth is told"


def test_what_is_public_stands_in_a_table() -> None:
    told = {name for path in TABLES for inside, _ in rows(path) for name in inside}
    assert {entry.name for entry in (*TOPICS, *SERVICES) if entry.public} <= told


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_table_of_any_page_names_only_what_there_is(path: Path) -> None:
    for inside, _ in rows(path):
        ours = {name for name in inside if not Path("/", name).exists()}  # /etc and the like are the system's
        assert ours <= set(by_name()), path


def test_what_is_recorded_is_called_alike() -> None:
    recorded = {value for key, value in vars(names).items() if key.isupper()}
    assert recorded <= {topic.name for topic in TOPICS if "recorder" in topic.readers}
    assert {topic.name for topic in TOPICS if "recorder" in topic.readers} == recorded
    assert topics.VIEW.name == names.VIEW
