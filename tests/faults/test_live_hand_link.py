"""Row 11: the link between a person's hand and the motor is cut while driving, at each of its three joints."""

from __future__ import annotations

import pytest
from fault_figures import FULL, Measured
from hand_link import CUTS, DEAD_MAN, HandLink

pytestmark = pytest.mark.live

TIMES = 20 if FULL else 1


@pytest.mark.fault(11)
def test_the_link_is_cut_while_driving_by_hand(link: HandLink, measured: Measured) -> None:
    for name, cut in CUTS.items():
        delays = []
        for _ in range(TIMES):
            link.drive()
            delays.append(link.until_neutral(cut))
            assert link.stays_neutral(0.6), "it moved again"
            link.mend()
            link.device.press(DEAD_MAN)  # still held, as far as anybody knows
            assert link.stays_neutral(0.5), "it moved again with the link"
        print(f"{name}: delays in ms:", *(f"{delay * 1e3:.0f}" for delay in delays))
        measured(f"neutral, {name}", max(delays), limit=0.3, injections=TIMES)
