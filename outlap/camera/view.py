"""The canonical view: the agreed pinhole picture that every policy sees, whatever lens the car has."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field

from outlap.files import Model
from outlap.vehicle.car import Lens


class View(Model):
    """A pinhole view without distortion, mono8, its optical axis straight ahead and pitched down."""

    width: Annotated[int, Field(ge=16, le=640)] = 80  # pixels
    height: Annotated[int, Field(ge=16, le=480)] = 48  # pixels
    horizontal_fov: Annotated[float, Field(gt=0.2, lt=2.8)] = 1.745  # rad (100 degrees), across the picture's edges
    pitch: Annotated[float, Field(ge=-0.5, le=1.2)] = 0.40  # rad, positive looks down
    camera_height: Annotated[float, Field(gt=0, le=1)] = 0.12  # m, above the ground

    @property
    def focal_length(self) -> float:
        """Focal length in pixels, the same across and down."""
        return self.width / 2 / math.tan(self.horizontal_fov / 2)

    @property
    def lens(self) -> Lens:
        """The view as a lens: square pixels, principal point in the middle."""
        f = self.focal_length
        return Lens(
            model="pinhole",
            width=self.width,
            height=self.height,
            fx=f,
            fy=f,
            cx=(self.width - 1) / 2,
            cy=(self.height - 1) / 2,
        )
