"""Everything that is drawn at random for each car: what its world looks like, how its camera sits, how it drives."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from outlap.errors import OutlapError
from outlap.files import Model, read_yaml, share_directory
from outlap.simulation.distribution import Distribution, within


class LookRanges(Model):
    """What the world is made of."""


class CameraRanges(Model):
    """How the camera sits; what is left out is as the canonical view says."""

    x: Annotated[Distribution | None, within(-0.5, 0.5)] = None  # m, ahead of the car file's place
    height: Annotated[Distribution | None, within(0.5, 2)] = None  # part of the view's
    pitch: Annotated[Distribution | None, within(-0.5, 0.5)] = None  # rad, beyond the view's, downwards
    roll: Annotated[Distribution | None, within(-0.5, 0.5)] = None  # rad
    yaw: Annotated[Distribution | None, within(-0.5, 0.5)] = None  # rad


class CarRanges(Model):
    """How the car drives; what is left out is as in the car file. Without a unit: a factor to the car file's number."""

    friction: Annotated[Distribution | None, within(0.1, 5)] = None
    cornering_stiffness: Annotated[Distribution | None, within(0.1, 5)] = None
    mass: Annotated[Distribution | None, within(0.2, 5)] = None
    servo_lag: Annotated[Distribution | None, within(0.1, 10)] = None
    servo_rate: Annotated[Distribution | None, within(0.1, 10)] = None
    motor_lag: Annotated[Distribution | None, within(0.1, 10)] = None
    acceleration: Annotated[Distribution | None, within(0.1, 5)] = None
    deceleration: Annotated[Distribution | None, within(0.1, 5)] = None
    wheel_radius: Annotated[Distribution | None, within(0.5, 2)] = None
    action_delay: Annotated[Distribution | None, within(0, 0.5)] = None  # s


class Randomization(Model):
    """A randomization file; ``config/randomization/full.yaml`` explains every key.

    A section that is left out is not randomised: the plain look, a perfect camera, the car as on file.
    """

    look: LookRanges | None = None
    camera: CameraRanges | None = None
    car: CarRanges | None = None

    @property
    def height_spread(self) -> float:
        """How far a camera's height may be off, as a part of the view's."""
        height = None if self.camera is None else self.camera.height
        return 0.0 if height is None else max(abs(value - 1) for interval in height.support for value in interval)


OFF = Randomization()


def load_randomization(name_or_path: str | Path) -> Randomization:
    """Read a randomization file: a path, or the name of one in ``config/randomization``.

    Raises:
        OutlapError: there is no such file, or it is refused; the message names file and key.
    """
    path = Path(name_or_path)
    if path.suffix not in (".yaml", ".yml"):
        folder = share_directory() / "config" / "randomization"
        path = folder / f"{name_or_path}.yaml"
        if not path.is_file():
            known = ", ".join(sorted(p.stem for p in folder.glob("*.yaml")))
            raise OutlapError(
                f"there is no randomization named {name_or_path!r}: give a .yaml file, or one of {known}."
            )
    return read_yaml(path, Randomization, "randomization file")
