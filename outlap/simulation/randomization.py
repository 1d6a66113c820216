"""Everything that is drawn at random for each car: what its world looks like, how its camera sees it, how it drives."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, model_validator

from outlap.files import Model, find_config, read_yaml
from outlap.simulation.distribution import WHOLE, Distribution, within
from outlap.simulation.rendering.tile_set import FLOORS, WALLS

Part = Annotated[Distribution | None, within(0, 1)]  # of a whole; also the chance of something that is there or not
Grey = Annotated[Distribution | None, within(0, 255)]  # grey levels
Shift = Annotated[Distribution | None, within(-255, 255)]  # grey levels, up or down
Factor = Annotated[Distribution | None, within(0.1, 10)]  # to the number on file
Length = Annotated[Distribution | None, within(1e-3, 100)]  # m
Angle = Annotated[Distribution | None, within(-0.6, 0.6)]  # rad
Seconds = Annotated[Distribution | None, within(0, 0.5)]  # s


class LookRanges(Model):
    """What the world is made of; what is left out is as in the plain look."""

    # Colours.
    road_grey: Grey = None
    line_contrast: Grey = None  # grey levels between line and road
    bright_line: Part = None  # 1: the line is the lighter of the two
    same_floor: Part = None  # 1: the floor beside the road is the road's own
    floor_grey: Grey = None  # beside the road
    centre_contrast: Shift = None  # grey levels of the centre line above the road's
    joint_contrast: Shift = None  # grey levels of the floor's joints above the floor's
    tint: Shift = None  # grey levels on each channel of each colour, which keep its luma
    # Lines.
    line_width: Annotated[Distribution | None, within(0.005, 0.3)] = None  # m
    line_inset: Annotated[Distribution | None, within(-0.2, 0.2)] = None  # m, inwards from the road's edge
    line_paint: Part = None  # how well the border lines cover, each side's own
    line_bend: Annotated[Distribution | None, within(0, 0.05)] = None  # m, deviation of a line from its place
    missing_line: Part = None  # 1: one border has no line
    wear: Part = None
    centre_line: Part = None  # how well the centre line covers; 0 none
    centre_width: Annotated[Distribution | None, within(0.002, 0.3)] = None  # m
    dash_spacing: Annotated[Distribution | None, within(0.05, 10)] = None  # m, from dash to dash
    dash_part: Annotated[Distribution | None, within(0.05, 2)] = None  # of the spacing; 1 and more is a full line
    # Floor.
    floor_tile: Annotated[Distribution | None, within(0, FLOORS - 1), WHOLE] = None
    floor_grain: Part = None  # contrast of the tile beside the road, as a part of the line's contrast
    road_grain: Part = None  # and on the road
    grain_scale: Annotated[Distribution | None, within(5, 1000)] = None  # texels per m
    joint: Part = None  # how dark the floor's joints are drawn; 0 none
    joint_spacing: Annotated[Distribution | None, within(0.05, 20)] = None  # m
    joint_width: Annotated[Distribution | None, within(5e-4, 0.1)] = None  # m
    joint_parallel: Part = None  # 1: in one direction only, as boards have
    # Room.
    wall_distance: Length = None  # m, beyond the outermost road
    wall_height: Length = None  # m
    wall_tile: Annotated[Distribution | None, within(0, WALLS - 1), WHOLE] = None
    wall_scale: Annotated[Distribution | None, within(5, 1000)] = None  # texels per m
    wall_grey: Grey = None  # of the darkest parts
    wall_contrast: Grey = None  # up to the lightest
    sky_grey: Grey = None  # above the walls
    box: Part = None  # 1: a box stands at one of six places
    box_distance: Annotated[Distribution | None, within(0.4, 20)] = None  # m, from the border to the box's middle
    box_size: Annotated[Distribution | None, within(0.01, 5)] = None  # m, length and width
    box_height: Annotated[Distribution | None, within(0.01, 5)] = None  # m
    box_grey: Grey = None
    # Light, and what the camera makes of it.
    shadow: Part = None  # of the light, that bands of shadow take
    shadow_spacing: Annotated[Distribution | None, within(0.1, 100)] = None  # m
    shadow_part: Part = None  # of the floor, that lies in shadow
    light_gradient: Annotated[Distribution | None, within(-0.5, 0.5)] = None  # per m, along x and along y
    white_balance: Factor = None  # of each channel
    gain: Factor = None
    tone_curve: Annotated[Distribution | None, within(-0.9, 0.9)] = None  # lifts (above 0) or sinks the middle tones
    vignette: Part = None  # of the light, lost at a right angle to the axis
    noise: Annotated[Distribution | None, within(0, 100)] = None  # grey levels, deviation


class CameraRanges(Model):
    """How the camera sits and sees; what is left out is as the canonical view says."""

    x: Annotated[Distribution | None, within(-0.5, 0.5)] = None  # m, ahead of the car file's place
    height: Annotated[Distribution | None, within(0.3, 3)] = None  # part of the view's
    pitch: Angle = None  # rad, beyond the view's, downwards
    roll: Angle = None  # rad
    yaw: Angle = None  # rad
    focal_length: Annotated[Distribution | None, within(0.3, 3)] = None  # part of the view's
    distortion: Annotated[Distribution | None, within(-0.15, 0.15)] = None  # radial (k1), left over after calibration
    shake: Annotated[Distribution | None, within(0, 0.1)] = None  # rad, deviation of pitch and roll in each frame


class PictureRanges(Model):
    """What befalls the pictures; what is left out does not."""

    exposure_time: Annotated[Distribution | None, within(0, 0.1)] = None  # s, blurs in turns
    readout_time: Annotated[Distribution | None, within(0, 0.1)] = None  # s, from the first row to the last
    defocus: Annotated[Distribution | None, within(0, 2)] = None  # pixels, deviation
    compression: Annotated[Distribution | None, within(0, 100)] = None  # grey levels, finest step of the quantisation
    lamp: Part = None  # 1: a lamp hangs at one of three places
    lamp_strength: Annotated[Distribution | None, within(0, 2000)] = None  # grey levels of the lamp itself
    lamp_glare: Annotated[Distribution | None, within(0, 255)] = None  # grey levels of its mirror image on the floor
    lamp_size: Annotated[Distribution | None, within(0.005, 1)] = None  # rad
    lamp_elevation: Annotated[Distribution | None, within(0.02, 1.5)] = None  # rad above the horizon
    exposure_drift: Annotated[Distribution | None, within(0, 1)] = None  # part by which the gain swings to either side
    drift_period: Annotated[Distribution | None, within(0.1, 100)] = None  # s
    covered: Part = None  # 1: shows only what one of the lenses below covers
    dropped: Part = None  # chance of each frame to show the one before again
    late: Part = None  # chance of each frame to come a step late
    frame_delay: Seconds = None  # s, from exposure to use


class CoverageRanges(Model):
    """Lenses and mounts whose pictures do not fill the canonical view; all are needed."""

    fisheye: Annotated[Distribution, within(0, 1)]  # 1: an equidistant fisheye; 0: a pinhole
    focal_length: Annotated[Distribution, within(0.2, 3)]  # pixels per rad at the middle, as a part of the width
    aspect: Annotated[Distribution, within(0.5, 3)]  # width as a part of the height
    height: Annotated[Distribution, within(0.3, 5)]  # part of the view's
    pitch: Annotated[Distribution, within(-0.5, 1.2)]  # rad, downwards
    roll: Annotated[Distribution, within(-0.5, 0.5)]  # rad
    yaw: Annotated[Distribution, within(-0.5, 0.5)]  # rad


class CarRanges(Model):
    """How the car drives; what is left out is as in the car file. Without a unit: a factor to the car file's number."""

    friction: Factor = None
    cornering_stiffness: Factor = None
    mass: Factor = None  # and yaw inertia
    motor_strength: Factor = None  # acceleration and top speed, as a battery runs down
    deceleration: Factor = None
    motor_lag: Factor = None
    servo_rate: Factor = None
    servo_lag: Factor = None
    wheel_radius: Annotated[Distribution | None, within(0.5, 2)] = None
    steering_trim: Angle = None  # rad, by which the front wheel stands to the left of where it should
    steering_backlash: Annotated[Distribution | None, within(0, 0.3)] = None  # rad, whole play
    action_delay: Seconds = None  # s, from a command to its effect; at most one step
    delay_jitter: Seconds = None  # s, the most that is added to it, anew in each step


class Randomization(Model):
    """A randomization file; ``config/randomization/full.yaml`` explains every key.

    A section that is left out is not randomised: the plain look, a perfect camera, the car as on file.
    """

    look: LookRanges | None = None
    camera: CameraRanges | None = None
    picture: PictureRanges | None = None
    coverage: CoverageRanges | None = None
    car: CarRanges | None = None

    @model_validator(mode="after")
    def _covered_by_something(self) -> Randomization:
        if self.picture is not None and self.picture.covered is not None and self.coverage is None:
            raise ValueError("picture.covered needs the section coverage")
        return self

    @property
    def camera_heights(self) -> tuple[float, float]:
        """Least and greatest camera height, as parts of the view's."""
        given = [None if self.camera is None else self.camera.height, self.coverage and self.coverage.height]
        ends = [1.0, *(end for one in given if one is not None for interval in one.support for end in interval)]
        return min(ends), max(ends)


OFF = Randomization()


def load_randomization(name_or_path: str | Path) -> Randomization:
    """Read a randomization file: a path, or the name of one in ``config/randomization``.

    Raises:
        OutlapError: there is no such file, or it is refused; the message names file and key.
    """
    return read_yaml(find_config("randomization", name_or_path, "randomization"), Randomization, "randomization file")


def _read(given: object) -> object:
    return load_randomization(given) if isinstance(given, str) else given


# In other files: the name or path of a randomization file, or the whole of it.
GivenRandomization = Annotated[Randomization, BeforeValidator(_read)]
