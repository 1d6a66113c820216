"""Types of node parameters in launch files: the same rules as ROS's own launch, so that a node sees the same type."""

from __future__ import annotations

import json
import math
import re

import yaml

from outlap.errors import OutlapError

Scalar = bool | int | float | str
Parameter = Scalar | list[bool] | list[int] | list[float] | list[str]

SCALARS: dict[str, type] = {"bool": bool, "int": int, "float": float, "str": str}
TYPES = (*SCALARS, *(f"list_of_{name}" for name in SCALARS), "yaml")

# A number to ROS (YAML 1.2), a text to PyYAML (1.1, which wants a point before the exponent).
EXPONENT = re.compile(r"[-+]?\d+[eE][-+]?\d+")


def parameter_value(text: str, kind: str, where: str) -> Parameter:
    """The value of ``<param value=text type=kind>``; without a type (``yaml``) YAML's rules decide.

    Raises:
        OutlapError: the text has no value of that type; ``where`` opens the message.
    """
    if kind not in TYPES:
        raise OutlapError(f"{where}: type={kind!r} is not supported; {', '.join(TYPES)} are.")
    if kind == "str" or (kind == "yaml" and not text):
        return text
    if kind in ("int", "float"):
        try:
            return SCALARS[kind](text)
        except ValueError as error:
            raise OutlapError(f"{where}: {text!r} is not of type {kind}.") from error
    if kind == "bool" and text in ("0", "1"):
        return text == "1"
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise OutlapError(f"{where}: {text!r} is not YAML; for plain text say type='str'.") from error
    wanted = (kind.removeprefix("list_of_"),) if kind != "yaml" else tuple(SCALARS)
    if kind.startswith("list_of_") or (kind == "yaml" and isinstance(value, list)):
        kinds = {type(item) for item in value} if isinstance(value, list) else {None}
        if len(kinds) == 1 and kinds <= {SCALARS[name] for name in wanted}:
            return value
        raise OutlapError(f"{where}: {text!r} is not a list of {' or '.join(wanted)}, all of one type.")
    if kind == "yaml" and isinstance(value, str) and EXPONENT.fullmatch(text):
        return float(text)
    if type(value) in {SCALARS[name] for name in wanted}:
        return value
    raise OutlapError(f"{where}: {text!r} is not of type {' or '.join(wanted)}.")


def parameter_rule(node: str | None, name: str, value: Parameter) -> str:
    """What stands after ``-p`` on a node's command line; strings are quoted, so that ``y`` or ``007`` stay strings.

    With the node's name in front, the value wins over an earlier parameter file's section for that node.
    """
    rendered = f"[{', '.join(map(_yaml, value))}]" if isinstance(value, list) else _yaml(value)
    return f"{f'{node}:' if node else ''}{name}:={rendered}"


def _yaml(value: Scalar) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)  # JSON's escapes are YAML's
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else f"{'-' if value < 0 else ''}.inf"
    return repr(value)
