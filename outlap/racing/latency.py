"""Latency from frame to actuator: pairs two arrivals of the same stamp, both on one process's steady clock."""

from __future__ import annotations

import numpy as np

from outlap.files import Model

KEEP = 100  # frames whose answer is still awaited; older ones were never acted on


class Milliseconds(Model):
    """How long frames took to reach the actuator, in ms."""

    p50: float | None  # none when there was no pair
    p99: float | None
    max: float | None
    count: int


class Latency:
    """Collects (image, actuator) pairs; only a stamp's first answer counts."""

    def __init__(self) -> None:
        self._images: dict[int, float] = {}  # ns of the stamp -> s of its arrival
        self._pairs: list[float] = []  # s

    def image(self, stamp: int, now: float) -> None:
        """The image stamped ``stamp`` (ns) arrived at ``now`` (s, steady)."""
        self._images[stamp] = now
        while len(self._images) > KEEP:
            del self._images[next(iter(self._images))]

    def actuator(self, stamp: int, now: float) -> None:
        """What was sent to the actuator because of the image ``stamp`` (ns) arrived at ``now`` (s, steady)."""
        arrived = self._images.pop(stamp, None)
        if arrived is not None:
            self._pairs.append(now - arrived)

    def milliseconds(self) -> Milliseconds:
        """Median, 99th percentile and worst of all pairs."""
        if not self._pairs:
            return Milliseconds(p50=None, p99=None, max=None, count=0)
        p50, p99, worst = np.round(np.percentile(self._pairs, [50, 99, 100]) * 1e3, 2)
        return Milliseconds(p50=float(p50), p99=float(p99), max=float(worst), count=len(self._pairs))
