"""Bytes of terminals as key events."""

from __future__ import annotations

import pytest

from outlap.hand.decode import Decoder, Key


def press(*names: str) -> list[Key]:
    return [Key(name, "press", False) for name in names]


@pytest.mark.parametrize(
    ("data", "events"),
    [
        (b"wW", press("w", "w")),
        (b"\x1b[A\x1b[B\x1b[C\x1b[D", press("up", "down", "right", "left")),
        (b"\x1bOA\x1bOD", press("up", "left")),
        (b"\r \x7f\t", press("enter", "space", "backspace", "tab")),
        (b"\x03\x1a", press("ctrl+c", "ctrl+z")),
        ("éß€😀".encode(), press("é", "ß", "€", "😀")),
        (b"\xff\xfe", press("�", "�")),
        (b"\x1bx", press("unknown")),  # Alt-x
        (b"\x1b[3~\x1b[15~\x1bOP", press("unknown", "unknown", "unknown")),
        (b"\x1b[1;5A", press("ctrl+up")),
        (b"\x1b[I", []),
        (b"\x1b[O", [Key("", "away", False)]),
        (b"\x1b[?62;c\x1b[12;40R", press("unknown")),  # answers to questions of others
        # kitty's protocol
        (b"\x1b[?11u", [Key("", "answer", True)]),
        (b"\x1b[?0u", [Key("", "answer", False)]),
        (b"\x1b[97u", [Key("a", "press", True)]),
        (b"\x1b[97;1:1u\x1b[97;1:2u\x1b[97;1:3u", [Key("a", kind, True) for kind in ("press", "repeat", "release")]),
        (b"\x1b[1;1:3A", [Key("up", "release", True)]),
        (b"\x1b[1;129:2D", [Key("left", "repeat", True)]),  # with num lock
        (b"\x1b[99;5u", [Key("ctrl+c", "press", True)]),
        (b"\x1b[61;2u\x1b[61:43;2u", [Key("=", "press", True)] * 2),
        (
            b"\x1b[32u\x1b[27u\x1b[13u\x1b[127u",
            [Key(n, "press", True) for n in ("space", "escape", "enter", "backspace")],
        ),
        (b"\x1b[119;3u", [Key("unknown", "press", True)]),  # Alt-w
        (b"\x1b[57441;2u\x1b[57441;1:3u", []),  # shift alone
        (b"\x1b[57376u", [Key("unknown", "press", True)]),  # F13
        (b"\x1b[99999999999u\x1b[;;;:::u\x1b[1114112u", [Key("unknown", "press", True)] * 3),
    ],
)
def test_each_sequence_is_its_key(data: bytes, events: list[Key]) -> None:
    assert Decoder().feed(data) == events
    decoder = Decoder()
    assert [event for byte in data for event in decoder.feed(bytes([byte]))] == events


def test_a_lone_escape_is_a_key_of_its_own() -> None:
    decoder = Decoder()
    assert decoder.feed(b"\x1b") == []
    assert decoder.pause() == press("escape")
    assert decoder.pause() == []
    assert decoder.feed(b"[A") == press("[", "a")
