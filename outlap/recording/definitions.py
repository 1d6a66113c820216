"""Full text of a message's definition, as a recording carries it: the type's ``.msg`` file and those that it needs.

The files lie in ``share/PACKAGE/msg`` of a ROS installation, from apt as from PyPI's wheels. The form is rosbag2's (its
docs/message_definition_encoding.md): each further one behind a line of 80 ``=`` and a line ``MSG: package/Type``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from outlap.errors import OutlapError

LINE = "=" * 80
PRIMITIVE = {"bool", "byte", "char", "string", "wstring", "float32", "float64"} | {
    f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)
}
# A field's or constant's type at the start of a line, without bounds and brackets: `string<=10`, `Point32[4]`.
FIELD = re.compile(r"^[ \t]*([A-Za-z][\w/]*)(?:<=\d+)?(?:\[[^\]]*\])?[ \t]+[A-Za-z]", re.MULTILINE)


def full_definition(name: str, prefixes: Iterable[Path]) -> str:
    """The definition of a message type such as ``sensor_msgs/msg/Image`` with all that it needs.

    Args:
        name: of the type.
        prefixes: folders of ROS installations, such as /opt/ros/jazzy; the first that has a file counts.

    Raises:
        OutlapError: a definition is nowhere to be found.
    """
    folders = list(prefixes)
    package, _, kind = name.split("/")
    known: dict[str, str] = {}

    def add(package: str, kind: str) -> None:
        text = _read(package, kind, folders)
        known[f"{package}/{kind}"] = text
        for used in FIELD.findall(text):
            if used in PRIMITIVE:
                continue
            *where, short = used.split("/")
            home = where[0] if where else package
            if f"{home}/{short}" not in known:
                add(home, short)

    add(package, kind)
    (_, own), *others = known.items()
    return own + "".join(f"\n{LINE}\nMSG: {name}\n{text}" for name, text in others)


def _read(package: str, kind: str, folders: list[Path]) -> str:
    for folder in folders:
        path = folder / "share" / package / "msg" / f"{kind}.msg"
        if path.is_file():
            return path.read_text(errors="replace")
    raise OutlapError(
        f"the definition of {package}/msg/{kind} (share/{package}/msg/{kind}.msg) is not below "
        f"{', '.join(map(str, folders)) or 'any folder'}: install ROS's package {package}, or source its setup file."
    )
