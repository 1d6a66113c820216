"""How well `outlap calibrate` finds a hidden car: its steering, drive, lens and mount.

Each trial draws a car or a camera at random: trim, asymmetric gains, a bent linkage, slack and noise of the servo; dead
band, speed curve, delay, lag and coasting of the drive; focal length, distortion and mount of the camera. A scripted
person goes through the very dialogs, with a tape that is off by 5 mm (one standard deviation), and pictures of the
board are rendered with blur and noise. What is compared is the car file that comes out. There is no peer to measure:
other stacks have the user turn sliders.
"""

from __future__ import annotations

import argparse
import json
import math
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

import numpy as np

from outlap.calibration.fakes.sights import sight_trial
from outlap.calibration.fakes.trials import drive_trial

DEGREES = 180 / math.pi
# name: key, factor and unit
DRIVE = {
    "trim": ("trim", 1.0, "µs"),
    "angle at the ends": ("end", DEGREES, "°"),
    "angle anywhere": ("between", DEGREES, "°"),
    "speed forwards, from 0.5 m/s": ("forward", 100.0, "%"),
    "speed backwards, from 0.5 m/s": ("reverse", 100.0, "%"),
    "edge of the dead band": ("edge", 1.0, "µs"),
}
SIGHT = {
    "focal length": ("focal", 100.0, "%"),
    "middle of the picture": ("middle", 1.0, "px"),
    "direction of a pixel": ("direction", DEGREES, "°"),
    "reported rms": ("rms", 1.0, "px"),
    "camera height": ("height", 1000.0, "mm"),
    "camera pitch": ("pitch", DEGREES, "°"),
    "camera roll": ("roll", DEGREES, "°"),
    "camera yaw": ("yaw", DEGREES, "°"),
    "camera x": ("x", 1000.0, "mm"),
}


def main() -> None:
    """Run the trials, print the errors, and end with one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--cars", type=int, default=60, help="hidden cars, for steering and drive")
    parser.add_argument("--cameras", type=int, default=16, help="hidden cameras, for lens and mount")
    options = parser.parse_args()
    found: dict[str, dict[str, float]] = {}
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for trial, count, names in ((drive_trial, options.cars, DRIVE), (sight_trial, options.cameras, SIGHT)):
            results = list(pool.map(Told(trial), range(count)))
            print(f"{count} trials of {trial.__name__}: median, 95th percentile, worst")
            for name, (key, factor, unit) in names.items():
                values = factor * np.array([getattr(result, key) for result in results], float)
                row = {"median": np.median(values), "p95": np.percentile(values, 95), "worst": values.max()}
                print(f"  {name:<32}" + "".join(f"{value:9.2f}" for value in row.values()) + f" {unit}")
                found[f"{key}_{unit}"] = {part: round(float(value), 4) for part, value in row.items()}
            if trial is sight_trial:
                right = sum(result.right_model for result in results)
                print(f"  pinhole or fisheye told rightly: {right} of {count}")
    print(json.dumps({"name": "calibration", "cars": options.cars, "cameras": options.cameras, "errors": found}))


class Told(NamedTuple):
    """A trial whose failure says which it was."""

    trial: Callable[[int], NamedTuple]

    def __call__(self, seed: int) -> NamedTuple:
        try:
            return self.trial(seed)
        except Exception as error:
            raise RuntimeError(f"{self.trial.__name__}({seed}) failed: {error}") from error


if __name__ == "__main__":
    main()
