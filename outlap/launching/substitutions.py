"""Carries out ``$(name argument …)`` in the attributes of a launch file, by the grammar of ROS's own launch."""

from __future__ import annotations

from collections.abc import Callable

from outlap.errors import OutlapError

Resolve = Callable[[str, list[str]], str]

# Attributes are short; a text nested deeper than this is an attack or an accident.
DEPTH_LIMIT = 20


def substitute(text: str, resolve: Resolve, where: str) -> str:
    """``text`` with each ``$(name argument …)`` replaced by ``resolve(name, arguments)``.

    A backslash takes the next character as it is; arguments are separated by blanks, may be quoted by ' or ", and may
    hold substitutions themselves.

    Raises:
        OutlapError: a substitution is not closed or has no name; whatever ``resolve`` raises.
    """
    return _Reader(text, resolve, where).text(end="")


class _Reader:
    def __init__(self, text: str, resolve: Resolve, where: str) -> None:
        self._text = text
        self._resolve = resolve
        self._where = where
        self._at = 0
        self._depth = 0

    def text(self, end: str) -> str:
        """Plain text and substitutions up to one of the characters ``end`` (not consumed) or the end of the text."""
        parts: list[str] = []
        while self._at < len(self._text):
            character = self._text[self._at]
            if character == "\\" and self._at + 1 < len(self._text):
                parts.append(self._text[self._at + 1])
                self._at += 2
            elif self._text.startswith("$(", self._at):
                parts.append(self._substitution())
            elif character in end:
                break
            else:
                parts.append(character)
                self._at += 1
        return "".join(parts)

    def _substitution(self) -> str:
        self._depth += 1
        if self._depth > DEPTH_LIMIT:
            raise self._error(f"is nested deeper than {DEPTH_LIMIT} substitutions")
        self._at += 2
        words: list[str] = []
        while True:
            while self._peek() == " ":
                self._at += 1
            character = self._peek()
            if character == "":
                raise self._error("lacks a closing parenthesis")
            if character == ")":
                self._at += 1
                break
            if character in "'\"" and words:
                self._at += 1
                words.append(self.text(end=character))
                if self._peek() != character:
                    raise self._error(f"lacks a closing {character}")
                self._at += 1
            else:
                words.append(self.text(end=" )'\""))
                if self._peek() in ("'", '"'):
                    raise self._error("has a quote inside a word")
        self._depth -= 1
        if not words:
            raise self._error("has a substitution without a name")
        return self._resolve(words[0], words[1:])

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _error(self, problem: str) -> OutlapError:
        return OutlapError(f"{self._where}: {self._text!r} {problem}.")
