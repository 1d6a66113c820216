"""The namespace that a graph runs under, such as ``/car1``: checked here, and only here."""

from __future__ import annotations

import re
from collections.abc import Mapping

from outlap.errors import OutlapError

ARGUMENT = "namespace"  # of launch files
LONGEST = 60  # characters; ROS allows 255 for a name with all that stands behind, a claim on a domain 80
NAMESPACE = re.compile(r"/?([A-Za-z][A-Za-z0-9_]*)(/[A-Za-z][A-Za-z0-9_]*)*")


def full_namespace(text: str) -> str:
    """``/car1`` for ``car1`` and for ``/car1``, ``/team/car1`` for ``team/car1``; ``/`` for nothing and for ``/``.

    Raises:
        OutlapError: it is no namespace.
    """
    if text in ("", "/"):
        return "/"
    if not NAMESPACE.fullmatch(text) or "__" in text or len(text) > LONGEST:
        raise OutlapError(
            f"{text!r} is not a namespace: it must be names of ASCII letters, digits and single _, each beginning with "
            f"a letter, with / between them, such as car1 or team/car1 (at most {LONGEST} characters)."
        )
    return f"/{text.lstrip('/')}"


def inner_namespace(outer: str, text: str) -> str:
    """The full namespace of ``text`` within ``outer``; one that begins with / lies in no other, as in ROS's launch.

    Raises:
        OutlapError: it is no namespace.
    """
    inner = full_namespace(text)
    if text == "":
        return outer
    return inner if text.startswith("/") or outer == "/" else f"{outer}{inner}"


def argument_namespace(arguments: Mapping[str, str]) -> str:
    """The full namespace that a launch file's arguments ask for.

    Raises:
        OutlapError: it is no namespace.
    """
    return full_namespace(arguments.get(ARGUMENT, ""))


def namespace_rules(namespace: str) -> list[str]:
    """What puts a node's program into a full namespace, behind ``--ros-args``; nothing for ``/``."""
    return [] if namespace == "/" else ["-r", f"__ns:={namespace}"]
