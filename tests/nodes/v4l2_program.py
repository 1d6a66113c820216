"""The camera node, whole and in a process of its own, with the stand-in for cv2.VideoCapture in its place.

Lines on standard input drive the stand-in: unplug, plug, freeze, thaw.
"""

from __future__ import annotations

import sys
import threading

from outlap_nodes.camera import main

from outlap.drivers import v4l2
from outlap.drivers.fakes.camera import FakeCamera


def obey(camera: FakeCamera) -> None:
    for line in sys.stdin:
        word = line.strip()
        if word == "freeze":
            camera.frozen_at = 1
        elif word == "thaw":
            camera.frozen_at = None
        else:
            getattr(camera, word)()


if __name__ == "__main__":
    stand_in = FakeCamera()
    v4l2.open_device = stand_in.open
    threading.Thread(target=obey, args=(stand_in,), daemon=True).start()
    main()
