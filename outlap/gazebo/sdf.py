"""SDF files, read with suspicion: no document types or entities, a limit on size and depth, prefixes left alone.

Where Gazebo's parser is more lenient than XML, so is this one: many of its example worlds are no XML otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree
from xml.parsers import expat

from outlap.errors import OutlapError
from outlap.files import read_bytes

LARGEST = 32 * 1024 * 1024  # bytes of a world file; meshes and pictures are files of their own
DEEPEST = 200  # elements within each other; SDF itself needs about twenty
# A comment, or text in which one may seem to begin. What is never closed reaches to the end, which keeps this linear.
COMMENT = re.compile(rb"<!\[CDATA\[.*?(?:\]\]>|\Z)|<!--.*?(?:-->|\Z)", re.DOTALL)
EARLY_SPACE = re.compile(rb"\A(\s+)(<\?xml.*?\?>)", re.DOTALL)
Element = ElementTree.Element


def read_sdf(path: Path, what: str = "world") -> Element:
    """The root element of an SDF file.

    Raises:
        OutlapError: the file is missing, too large, no well-formed XML, or no SDF; the sentence names file and line.
    """
    return parse_sdf(read_bytes(path, what, LARGEST), str(path), what)


def parse_sdf(text: bytes | str, where: str, what: str) -> Element:
    """The root element of an SDF document; ``where`` and ``what`` open the message when it is refused.

    Raises:
        OutlapError: it is no well-formed XML, declares a document type, is nested too deeply, or is no SDF.
    """
    # Not ElementTree's own parser: it expands entities, and renames the prefixes of elements that Gazebo knows by them.
    builder = ElementTree.TreeBuilder()
    parser = expat.ParserCreate()
    depth = 0

    def refuse(reason: str) -> OutlapError:
        return OutlapError(f"{where}, line {parser.CurrentLineNumber}: the {what} is refused: {reason}.")

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEEPEST:
            raise refuse(f"its elements lie more than {DEEPEST} deep within each other")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    def doctype(*_: object) -> None:
        raise refuse("it declares a document type (<!DOCTYPE>), which SDF has no use for")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = builder.data, doctype
    parser.buffer_text = True
    try:
        parser.Parse(_lenient(text.encode() if isinstance(text, str) else text), True)
    except expat.ExpatError as error:
        problem = expat.ErrorString(error.code)
        raise OutlapError(f"{where}, line {error.lineno}: the {what} is no well-formed XML: {problem}.") from error
    except (ValueError, LookupError) as error:  # an encoding that Python does not know, or bytes that are not in it
        raise refuse(f"its text cannot be decoded: {error}") from error
    root = builder.close()
    if root.tag != "sdf":
        raise OutlapError(f"{where}: the {what} is no SDF: its outermost element is <{root.tag}>, not <sdf>.")
    return root


def _lenient(text: bytes) -> bytes:
    """The text without what Gazebo's parser takes and XML forbids: ``--`` in comments, space before the declaration.

    Lines keep their numbers.
    """

    def blank(found: re.Match[bytes]) -> bytes:
        comment = found.group()
        closed = comment.startswith(b"<!--") and comment.endswith(b"-->")
        return b"\n" * comment.count(b"\n") if closed else comment

    return COMMENT.sub(blank, EARLY_SPACE.sub(rb"\2\1", text))


def sdf_text(root: Element) -> str:
    """The document as text, indented."""
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def add(parent: Element, tag: str, content: str | float | Sequence[float] | None = None, **attributes: str) -> Element:
    """A new last child that holds a text, a number or a row of numbers; no more digits than matter (10 µm, 10 µrad)."""
    child = ElementTree.SubElement(parent, tag, attributes)
    if isinstance(content, str):
        child.text = content
    elif content is not None:
        row = [content] if isinstance(content, (int, float)) else content
        child.text = " ".join(f"{float(value) + 0.0:.6g}" for value in row)
    return child
