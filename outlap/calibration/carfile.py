"""Changes single values in a car file that a person edits: comments, order and everything else stay as they are.

The text is cut at the places that the YAML parser gives for each value; what comes out is parsed again and compared.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from outlap.errors import OutlapError
from outlap.files import read_bytes, share_directory, write_atomic
from outlap.vehicle.car import Car, load_car

Key = tuple[str, ...]
Value = float | int | str | bool | list[float] | list[tuple[float, float]] | None
Changes = Mapping[Key, Value]

KEPT = 20  # earlier states of a car file, beside it


def changed(text: str, changes: Changes) -> str:
    """``text`` with the values of some keys changed, or added where their section has none.

    Raises:
        OutlapError: it is no YAML mapping, or is written in a way that cannot be edited (anchors, merged keys).
    """
    for key, value in changes.items():
        text = _with(text, key, value)
    return text


def write_car(path: Path, changes: Changes) -> Car:
    """Write changes to a car file that is the user's own, keeping the state before it as ``PATH.1``, ``PATH.2`` …

    Raises:
        OutlapError: the file is one that ships with Outlap, cannot be written, or would not be valid afterwards; it is
            then as it was.
    """
    check_own(path)
    before = read_bytes(path, "car file").decode()
    after = changed(before, changes)
    _checked(path, before)
    try:
        content = yaml.safe_load(after)
        done = all(_near(_at(content, key), value) for key, value in changes.items())
        done = done and _without(yaml.safe_load(before), changes) == _without(content, changes)
    except yaml.YAMLError:
        done = False
    if not done:
        raise OutlapError(
            f"{path} holds a key twice, or uses YAML's anchors or merged keys, which cannot be edited: write them out."
        )
    car = _checked(path, after)
    kept = history(path)
    number = int(kept[-1].suffix[1:]) + 1 if kept else 1
    write_atomic(path.with_name(f"{path.name}.{number}"), before)
    write_atomic(path, after)
    for old in kept[: max(len(kept) + 1 - KEPT, 0)]:
        old.unlink(missing_ok=True)
    return car


def undo(path: Path) -> Path:
    """Bring a car file's last state before a change back; returns the file that held it, which is gone.

    Raises:
        OutlapError: there is none, or it is not a valid car file.
    """
    kept = history(path)
    if not kept:
        raise OutlapError(f"{path}: there is nothing to undo: no calibration was written, or all were undone.")
    before = read_bytes(kept[-1], "car file").decode()
    _checked(path, before)
    write_atomic(path, before)
    kept[-1].unlink()
    return kept[-1]


def history(path: Path) -> list[Path]:
    """The kept states of a car file, oldest first."""
    pattern = re.compile(re.escape(path.name) + r"\.[1-9][0-9]*")
    found = (entry for entry in path.absolute().parent.glob("*") if pattern.fullmatch(entry.name))
    return sorted(found, key=lambda entry: int(entry.suffix[1:]))


def check_own(path: Path) -> None:
    """See that a car file is the user's own.

    Raises:
        OutlapError: it ships with Outlap.
    """
    if path.resolve().is_relative_to((share_directory() / "config" / "cars").resolve()):
        raise OutlapError(
            f"{path} ships with Outlap and is never changed: name a copy of your own with --out FILE.yaml."
        )


def _checked(path: Path, text: str) -> Car:
    """The car that ``text`` describes, read as every program will read it."""
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / "car.yaml"
        draft.write_text(text)
        try:
            return load_car(draft)
        except OutlapError as error:
            raise OutlapError(str(error).replace(str(draft), f"{path} (unchanged)")) from error


def _at(content: Any, key: Key) -> Any:
    for part in key:
        content = content.get(part) if isinstance(content, dict) else None
    return content


def _near(a: Any, b: Any) -> bool:
    """Whether a value was read back as it was to be written, but for its last digits."""
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(_near, a, b))
    if isinstance(b, float) and isinstance(a, int | float):
        return abs(a - b) <= 1e-8 * max(1.0, abs(b))
    return a == b


def _without(content: Any, changes: Changes) -> Any:
    """The content less the changed keys, and less sections that hold nothing else."""
    for key in changes:
        holders, inner = [], content
        for part in key[:-1]:
            holders.append((inner, part))
            inner = inner.get(part) or {}
        inner.pop(key[-1], None)
        for holder, part in reversed(holders):
            if not holder.get(part):
                holder.pop(part, None)
    return content


def _with(text: str, key: Key, value: Value) -> str:
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)  # not the C one: its places in the text count bytes
    except yaml.YAMLError as error:
        raise OutlapError(f"the car file is not valid YAML: {getattr(error, 'problem', error)}.") from error
    node = root
    for depth, part in enumerate(key):
        if not isinstance(node, yaml.MappingNode):
            raise OutlapError(f"the car file's {'.'.join(key[:depth]) or 'top'} is not a mapping of keys to values.")
        found = next((inner for name, inner in node.value if name.value == part), None)
        if found is None:
            return _added(text, node, key[depth:], value)
        node = found
    start, end = node.start_mark.index, _end(node)
    if isinstance(node, yaml.SequenceNode) and not node.flow_style:
        return text[:start] + _written(value, block=node.start_mark.column) + text[end:]
    return _replaced(text, start, end, _written(value))


def _replaced(text: str, start: int, end: int, new: str) -> str:
    """A comment behind the value stays in its column, where there is room."""
    comment = re.match(r"( +)#", text[end:])
    if comment and "\n" not in text[start:end]:
        spaces = max(len(comment[1]) + end - start - len(new), 1)
        return text[:start] + new + " " * spaces + text[end + len(comment[1]) :]
    return text[:start] + new + text[end:]


def _added(text: str, node: yaml.MappingNode, names: Key, value: Value) -> str:
    """A key that the mapping ``node`` lacks, put behind its last one."""
    if node.flow_style or not node.value:
        content = _written(value)
        for name in reversed(names[1:]):
            content = f"{{{name}: {content}}}"
        place = node.end_mark.index - 1
        comma = ", " if node.value else ""
        return text[:place].rstrip() + f"{comma}{names[0]}: {content}" + text[place:]
    column = node.start_mark.column
    lines = [f"{' ' * (column + 2 * depth)}{name}:" for depth, name in enumerate(names)]
    lines[-1] += f" {_written(value)}"
    end = text.find("\n", _end(node.value[-1][1]))
    if end < 0:
        text, end = text + "\n", len(text)
    return text[: end + 1] + "\n".join(lines) + "\n" + text[end + 1 :]


def _end(node: yaml.Node) -> int:
    """Where a node's own text ends; a block's mark stands behind the comments that follow."""
    while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    return node.end_mark.index


def _written(value: Value | tuple[float, float], block: int | None = None) -> str:
    """A value as YAML; a list in the block style of a column, if one is given."""
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list | tuple):
        items = [_written(item) for item in value]
        if block is not None and items:
            return f"\n{' ' * block}".join(f"- {item}" for item in items)
        return f"[{', '.join(items)}]"
    if isinstance(value, int) or value == int(value):
        return f"{int(value)}" if isinstance(value, int) else f"{value:.1f}"
    return repr(round(value, 9)) if abs(value) >= 1e-4 else f"{value:.9f}".rstrip("0")
