"""Reads a launch file into elements that know their line, and refuses whatever Outlap's runner does not support."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from outlap.errors import OutlapError
from outlap.files import read_bytes

SIZE_LIMIT = 1024 * 1024  # bytes; a launch file is a page
DEPTH_LIMIT = 50  # elements inside one another


@dataclass
class Element:
    """One XML element: its tag, attributes, children, and the place it stands at."""

    tag: str
    attributes: dict[str, str]
    path: Path
    line: int
    children: list[Element] = field(default_factory=list)

    @property
    def where(self) -> str:
        """``FILE, line N``, as error messages begin."""
        return f"{self.path}, line {self.line}"

    def __getitem__(self, name: str) -> str:
        return self.attributes[name]

    def get(self, name: str) -> str | None:
        """The attribute as written (substitutions not carried out), or None."""
        return self.attributes.get(name)

    def named(self, tag: str) -> list[Element]:
        """The children of one tag, in the order of the file."""
        return [child for child in self.children if child.tag == tag]


@dataclass
class Rule:
    """What an element may hold: attributes it must have, attributes it may have, and children."""

    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    children: Mapping[str, Rule] = field(default_factory=dict)


CONDITION = ("if", "unless")
PARAM = Rule((), ("name", "value", "type", "from"))
ACTIONS: dict[str, Rule] = {
    "arg": Rule(("name",), ("default", "description", *CONDITION), {"choice": Rule(("value",))}),
    "let": Rule(("name", "value"), CONDITION),
    "set_env": Rule(("name", "value"), CONDITION),
    "push_ros_namespace": Rule(("namespace",), CONDITION),
    "include": Rule(("file",), CONDITION, {"arg": Rule(("name", "value"))}),
    "node": Rule(
        ("pkg", "exec"),
        ("name", "namespace", "args", "output", "on_exit", *CONDITION),
        {"param": PARAM, "remap": Rule(("from", "to"))},
    ),
    "executable": Rule(("cmd",), ("name", "cwd", "output", "on_exit", *CONDITION)),
}
ACTIONS["group"] = Rule((), ("scoped", *CONDITION), ACTIONS)
LAUNCH = Rule((), (), ACTIONS)


def read_document(path: Path) -> Element:
    """The ``<launch>`` element of a file, every tag and attribute of which is one that Outlap's runner supports.

    Raises:
        OutlapError: the file cannot be read, is not XML, or holds something unsupported; the message names the line.
    """
    root = _parse(path, read_bytes(path, "launch file", SIZE_LIMIT))
    if root.tag != "launch":
        raise OutlapError(f"{root.where}: a launch file begins with <launch>, not <{root.tag}>.")
    _check(root, LAUNCH)
    return root


def _parse(path: Path, content: bytes) -> Element:
    parser = expat.ParserCreate()
    top = Element("", {}, path, 0)
    open_elements = [top]

    def start(tag: str, attributes: dict[str, str]) -> None:
        element = Element(tag, attributes, path, parser.CurrentLineNumber)
        if len(open_elements) > DEPTH_LIMIT:
            raise OutlapError(f"{element.where}: elements nested deeper than {DEPTH_LIMIT} are refused.")
        open_elements[-1].children.append(element)
        open_elements.append(element)

    def text(characters: str) -> None:
        if characters.strip():
            raise OutlapError(
                f"{path}, line {parser.CurrentLineNumber}: text {characters.strip()[:30]!r} inside <"
                f"{open_elements[-1].tag}> is not supported; values stand in attributes."
            )

    def doctype(*_: object) -> None:
        # Without a DTD there are no entities, so nothing can be expanded or fetched.
        raise OutlapError(f"{path}, line {parser.CurrentLineNumber}: a DOCTYPE is refused in a launch file.")

    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _: open_elements.pop()
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise OutlapError(f"{path}, line {error.lineno}: not valid XML: {expat.ErrorString(error.code)}.") from error
    except (LookupError, ValueError) as error:  # an encoding that expat does not know
        raise OutlapError(f"{path}: not valid XML: {error}.") from error
    return top.children[0]


def _check(element: Element, rule: Rule) -> None:
    known = (*rule.required, *rule.optional)
    for name in element.attributes:
        if name not in known:
            raise OutlapError(
                f"{element.where}: attribute {name!r} of <{element.tag}> is not supported by outlap launch "
                f"(known here: {', '.join(known) or 'none'})."
            )
    for name in rule.required:
        if name not in element.attributes:
            raise OutlapError(f"{element.where}: <{element.tag}> needs the attribute {name!r}.")
    if "if" in element.attributes and "unless" in element.attributes:
        raise OutlapError(f"{element.where}: <{element.tag}> has both 'if' and 'unless'; ROS accepts one of them.")
    for child in element.children:
        if child.tag not in rule.children:
            raise OutlapError(
                f"{child.where}: <{child.tag}> inside <{element.tag}> is not supported by outlap launch "
                f"(known here: {', '.join(f'<{tag}>' for tag in rule.children) or 'none'})."
            )
        _check(child, rule.children[child.tag])
