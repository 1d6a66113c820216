"""The line that a person drives by, and the help above it."""

from __future__ import annotations

import pytest

from outlap.hand.config import KEYS, HandConfig
from outlap.hand.screen import ARROWS, Standing, keys_text, line


@pytest.mark.parametrize(
    ("now", "text"),
    [
        (
            Standing("armed", "", "you drive", 0.85, 0.21, 1.0),
            "armed · you drive · +0.85 m/s · 12° left · limit 1.00 m/s",
        ),
        (
            Standing("armed", "", "the policy drives", -0.5, -0.1, 1),
            "armed · the policy drives · -0.50 m/s · 6° right · limit 1.00 m/s",
        ),
        (
            Standing("disarmed", "not armed yet", "", 0.0, 0.0, 1),
            "DISARMED: not armed yet · 0 m/s · straight · limit 1.00 m/s",
        ),
        (Standing("fault", "it broke", "", 0.0, 0.0, 0.25), "FAULT: it broke · 0 m/s · straight · limit 0.25 m/s"),
        (Standing("", "", "", 0.0, 0.0, 1.0), "the motor says nothing"),
    ],
)
def test_the_line_says_what_may_drive_and_what_is_sent(now: Standing, text: str) -> None:
    assert line(now) == text


def test_every_key_is_explained(config: HandConfig) -> None:
    words = keys_text(config.keyboard).split()
    for role in KEYS:
        assert all(ARROWS.get(name, name) in words for name in getattr(config.keyboard, role))
