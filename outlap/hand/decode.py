"""Bytes from a terminal as key events: the old encoding, and the kitty keyboard protocol, which tells releases.

Both as in kitty's docs/keyboard-protocol.rst (repository kovidgoyal/kitty); focus events as in xterm's ctlseqs.
"""

from __future__ import annotations

import codecs
import re
from typing import Literal, NamedTuple

# What turns it on and off: disambiguate, report event types, report all keys (1 + 2 + 8); focus events; no cursor.
BEGIN = b"\x1b[>11u\x1b[?1004h\x1b[?25l"
END = b"\x1b[<u\x1b[?1004l\x1b[?25h"
ASK = b"\x1b[?u"  # answered by CSI ? FLAGS u where the protocol is known, and by nothing elsewhere

Kind = Literal["press", "repeat", "release", "answer", "away"]

CSI = re.compile(rb"\x1b\[([0-9;:<=>?]*)[ -/]*([@-~])")
SS3 = re.compile(rb"\x1bO([ -~])")
UNFINISHED = re.compile(rb"\x1b(\[[0-9;:<=>? -/]*|O)?\Z")
ARROWS = {"A": "up", "B": "down", "C": "right", "D": "left"}
NAMES = {3: "ctrl+c", 8: "backspace", 9: "tab", 10: "enter", 13: "enter", 27: "escape", 32: "space", 127: "backspace"}
CTRL, ALT_OR_MORE = 0b100, 0b111010  # of the modifiers; shift, caps lock and num lock are left out
MODIFIER_KEYS = frozenset((*range(57358, 57361), *range(57441, 57455)))  # locks, and shift to ISO level 5: no keys here
REPEAT, RELEASE = 2, 3
EVENTS = 0b10  # of the flags: releases are told


class Key(NamedTuple):
    """One event. ``answer``: the terminal lives; ``away``: another window has the keys now."""

    name: str
    kind: Kind
    told: bool  # whether it came in the new encoding, so that a release will be told


class Decoder:
    """Takes bytes as they come and gives events; a sequence that was cut waits for the rest."""

    def __init__(self) -> None:
        self._rest = b""
        self._text = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, data: bytes) -> list[Key]:
        """The events in what came before and ``data``."""
        data, events = self._rest + data, []
        self._rest = b""
        while data:
            if data[:1] != b"\x1b":
                text, escape, data = data.partition(b"\x1b")
                data = escape + data
                events += [Key(_name(ord(one)), "press", False) for one in self._text.decode(text)]
            elif UNFINISHED.match(data):
                self._rest = data[-64:]
                break
            elif found := CSI.match(data):
                events += _control(found[1].decode(), found[2].decode())
                data = data[found.end() :]
            elif found := SS3.match(data):
                events.append(Key(ARROWS.get(found[1].decode(), "unknown"), "press", False))
                data = data[found.end() :]
            else:  # Alt with a key
                events.append(Key("unknown", "press", False))
                data = data[2:]
        return events

    def pause(self) -> list[Key]:
        """Nothing more came for a while: what waits is a key of its own, such as Escape."""
        rest, self._rest = self._rest, b""
        return [Key("escape", "press", False)] if rest else []


def _name(code: int) -> str:
    if code in NAMES:
        return NAMES[code]
    if 1 <= code < 27:
        return f"ctrl+{chr(code + 96)}"
    return chr(code).lower() if chr(code).isprintable() else "unknown"


def _control(parameters: str, final: str) -> list[Key]:
    """The event of a sequence CSI ``parameters`` ``final``."""
    if parameters[:1] in ("?", "<", "=", ">"):
        if parameters[:1] != "?" or final != "u":
            return []
        return [Key("", "answer", bool(_number(parameters[1:], 0) & EVENTS))]
    if final == "I" and not parameters:
        return []
    if final == "O" and not parameters:
        return [Key("", "away", False)]
    code, modifiers, kind = _fields(parameters)
    told = final == "u" or ":" in parameters
    if final == "u":
        if code in MODIFIER_KEYS:
            return []
        name = _name(code) if 0 < code < 57344 else "unknown"  # from there to 63743: keys without a character
    else:
        name = ARROWS.get(final, "unknown")
    if modifiers & ALT_OR_MORE:
        name = "unknown"
    elif modifiers & CTRL and not name.startswith("ctrl+"):
        name = f"ctrl+{name}"
    return [Key(name, "release" if kind == RELEASE else "repeat" if kind == REPEAT else "press", told)]


def _fields(parameters: str) -> tuple[int, int, int]:
    """(code, modifiers as bits, event type) of ``code:…;modifiers:type;…``."""
    code, modifiers, *_ = [*parameters.split(";"), "", ""]
    bits, kind, *_ = [*modifiers.split(":"), "", ""]
    return _number(code.split(":")[0], 0), max(_number(bits, 1) - 1, 0), _number(kind, 1)


def _number(text: str, default: int) -> int:
    return int(text) if text.isdigit() and len(text) < 8 else default
