"""Whether pictures come as often as a policy was trained with."""

from __future__ import annotations

from outlap.policy.runtime import MAX_GAP
from outlap.timing import Rate

SETTLING = 2.5  # s after the first picture, before which a rate says nothing
SLOW, TOO_SLOW = 0.9, 0.6  # parts of the policy's rate, below which it is told, and below which the car must not go on

REMEDY = "more light, or a shorter camera.device.exposure in the car file, may help"


class PictureRate:
    """Judges how often commands are made, against ``rate`` a second, by the stamps of the pictures that led to them.

    Stamps are ROS time, so that a simulation which runs slower than the clock on the wall is none the worse for it.

    Attributes:
        slow: what to tell of a rate that is lower than it should be, with both figures; empty while it is not.
        too_slow: whether it is so low that the car must not go on.
    """

    def __init__(self, rate: float, every: int) -> None:
        """Of ``every`` pictures one leads to a command."""
        self._wanted, self._every = rate, every
        self._rate = Rate()
        self._first = self._last = -1.0  # s
        self.slow, self.too_slow = "", False

    def add(self, stamp: float) -> None:
        """A picture exposed at ``stamp`` s led to a command."""
        if self._first < 0 or not 0 < stamp - self._last <= MAX_GAP:  # others tell of a gap
            self._rate, self._first = Rate(), stamp
        self._last = stamp
        self._rate.add(stamp)
        hertz = self._rate.hertz(stamp)
        settled = stamp - self._first >= SETTLING
        self.too_slow = settled and hertz < TOO_SLOW * self._wanted
        self.slow = ""
        if settled and hertz < SLOW * self._wanted:
            self.slow = (
                f"the camera gives {hertz * self._every:.1f} pictures a second, and the policy needs "
                f"{self._wanted * self._every:g}: {REMEDY}"
            )
