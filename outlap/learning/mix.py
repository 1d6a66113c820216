"""Which tracks a training file asks for: a number of generated ones, or a mix with given ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, TypeAdapter, model_validator

from outlap.errors import OutlapError
from outlap.files import Model, validate
from outlap.track.formats import TRACK_FILE, load_track
from outlap.track.gathering import track_paths
from outlap.vehicle.car import Car

SHARE = 0.7  # of the episodes that begin on the given tracks, where there are generated ones, too


class TrackMix(Model):
    """``tracks:`` in a training file, as in ``{generated: 64, files: [my.npy, oval], share: 0.7}``."""

    generated: Annotated[int, Field(ge=0, le=4096)] = 0
    files: Annotated[tuple[str, ...], Field(max_length=256)] = ()  # track files, folders of them, or names in worlds/
    # Of the episodes, that begin on the given tracks; without files it is that of tracks which --track gives.
    share: Annotated[float, Field(gt=0, le=1)] | None = None
    both_directions: bool = False  # whether the given tracks are driven the other way, too

    @model_validator(mode="after")
    def _whole(self) -> TrackMix:
        if not self.generated and not self.files:
            raise ValueError("there is no track: give a number of generated ones, or files")
        if not self.files and self.both_directions:
            raise ValueError("both_directions is of the given tracks: name those under files")
        if not self.generated and self.share not in (None, 1.0):
            raise ValueError(f"share is {self.share:g}, but there is no generated track for the rest")
        return self

    @property
    def given_share(self) -> float:
        """Part of the episodes that begin on the given tracks."""
        if not self.files or not self.generated:
            return float(bool(self.files))
        return SHARE if self.share is None else self.share

    def with_files(self, files: Sequence[str], both_directions: bool) -> TrackMix:
        """The same with other given tracks; at a share of 1 no generated ones are needed beside them.

        Raises:
            OutlapError: there are none, or too many.
        """
        content = self.model_dump() | {"files": files, "both_directions": both_directions}
        if self.share == 1:
            content["generated"] = 0
        return validate(content, TrackMix, "--track", "list of tracks")

    def with_paths(self, folder: Path, where: str) -> TrackMix:
        """The same with the files' own paths; one that is relative is so to ``folder``, and beats a name in worlds/.

        Raises:
            OutlapError: there is no such track, or one is named twice; ``where`` opens the message.
        """
        words = [str(beside) if (beside := folder / Path(name).expanduser()).exists() else name for name in self.files]
        if not words:
            return self
        try:
            paths = [str(path.resolve()) for path in track_paths(words)]
        except OutlapError as error:
            raise OutlapError(f"{where}: {error}") from error
        twice = next((path for path in paths if paths.count(path) > 1), None)
        if twice is not None:
            raise OutlapError(f"{where}: the track {twice} is named twice: name it once.")
        return self.model_copy(update={"files": tuple(paths)})

    def check(self, car: Car, speed_limit: float, curvature_limit: float, where: str) -> None:
        """See that ``car`` gets round the given tracks within these limits (m/s, 1/m).

        Raises:
            OutlapError: a file is refused, or there is no way round its track; ``where`` opens the message.
        """
        for path in self.files:
            from outlap.simulation.yardstick import yardstick  # slow to import

            try:
                yardstick(load_track(path), car, speed_limit, curvature_limit)
            except OutlapError as error:
                raise OutlapError(f"{where}: {error}") from error


_NUMBER = TypeAdapter(Annotated[int, Field(ge=1, le=4096)])


def _number_or_mix(value: Any) -> int | TrackMix:
    """By what it is, so that what is wrong is told of that one alone."""
    return TrackMix.model_validate(value) if isinstance(value, dict | TrackMix) else _NUMBER.validate_python(value)


Tracks = Annotated[int | TrackMix, BeforeValidator(_number_or_mix)]


def own_names(files: Sequence[str]) -> list[str]:
    """A name for a copy of each track file, no two alike: ``oval.yaml`` of ``worlds/oval/track.yaml``."""
    names: list[str] = []
    for path in map(Path, files):
        stem, k = path.parent.name if path.name == TRACK_FILE else path.stem, 2
        name = f"{stem}{path.suffix}"
        while name in names:
            name, k = f"{stem}-{k}{path.suffix}", k + 1
        names.append(name)
    return names
