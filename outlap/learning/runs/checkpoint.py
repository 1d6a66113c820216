"""A run's checkpoint: a folder that always holds one whole state, whatever kills the run while it saves.

``checkpoint.json`` says what the run is, how far it is, and names the other files with their SHA-256: the arrays of the
state (``state-<iteration>.npz``) and the student's data (``*.shard``). It is replaced last, in one rename, so that it
always names whole files; only then are those removed that it names no more. Numbers and arrays are all that these files
can hold: nothing in them is ever unpickled or executed, and nothing is read or written through a link.

FORMAT is the number of the keys that a state holds (:mod:`outlap.states`). A state of another format is refused in one
sentence, since no run could go on with it bit for bit.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from outlap import __version__
from outlap.errors import OutlapError
from outlap.files import read_bytes, validate, write_atomic
from outlap.learning.runs.folder import CHECKPOINT_INDEX, SHARD_SUFFIX
from outlap.learning.runs.records import Index, Reached, Versioned, read_json
from outlap.states import State, StateError

FORMAT = 2
LARGEST = 1 << 30  # bytes of a state's arrays, above which a file is not one of ours
NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")  # of a file beside the index


class Checkpoint(NamedTuple):
    """What was read from a checkpoint's folder."""

    about: dict[str, Any]  # what the run is: its configuration, car, seed and versions
    state: State  # arrays are numpy's, whatever they were


def save_checkpoint(
    folder: Path, name: str, about: dict[str, Any], reached: Reached, state: State, keep: list[str]
) -> None:
    """Put a state in the place of the one before it.

    Args:
        folder: the checkpoint's; made where missing.
        name: of this state, another than the last one's.
        about: what the run is, as JSON can hold it.
        reached: how far it is, for whoever lists runs.
        state: see :data:`outlap.states.State`.
        keep: names of the other files in the folder that the state needs.

    Raises:
        OutlapError: the folder cannot be written; the state before is whole.
    """
    arrays: dict[str, np.ndarray] = {}
    plain = _without_arrays(state, "", arrays)
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=False, **arrays)
    content = stream.getvalue()
    file = f"state-{name}.npz"
    write_atomic(folder / file, content)
    digest = hashlib.sha256(content).hexdigest()
    index = {
        "format": FORMAT,
        "about": about,
        "reached": reached.model_dump(mode="json"),
        "arrays": {"file": file, "sha256": digest},
        "state": plain,
    }
    write_atomic(folder / CHECKPOINT_INDEX, json.dumps(index) + "\n")
    tidy(folder, [file, *keep])


def read_index(folder: Path) -> Index | None:
    """What a checkpoint says of its run, whatever format its state has; None where there is no checkpoint.

    Raises:
        OutlapError: the index is damaged, or of a newer Outlap.
    """
    path = folder / CHECKPOINT_INDEX
    try:
        content = read_json(path, "checkpoint")
        if content is None:
            return None
        versioned = validate(content, Versioned, str(path), "checkpoint")
        if versioned.format <= FORMAT:
            return validate(content, Index, str(path), "checkpoint")
    except OutlapError as error:
        raise OutlapError(f"{error} {ANEW}") from error
    raise OutlapError(
        f"{path}: the checkpoint is of format {versioned.format}, of a newer Outlap than this one, which reads "
        f"{FORMAT}: install that, or choose another folder."
    )


def load_checkpoint(folder: Path) -> Checkpoint | None:
    """The state that was saved last, or None where there is none.

    Raises:
        OutlapError: the checkpoint is damaged or another version's.
    """
    index = read_index(folder)
    if index is None:
        return None
    path = folder / CHECKPOINT_INDEX
    if index.format != FORMAT:
        raise OutlapError(f"{path}: {old_format(index)}")
    arrays_at = inside(folder, index.arrays.file)
    content = read_bytes(arrays_at, "checkpoint", LARGEST, follow=False)
    if hashlib.sha256(content).hexdigest() != index.arrays.sha256:
        raise OutlapError(f"{arrays_at}: the checkpoint is damaged (its digest differs). {ANEW}")
    try:
        return Checkpoint(index.about, _with_arrays(index.state, "", _arrays(content)))
    except (
        ValueError,
        KeyError,
        TypeError,
        EOFError,
        OSError,
        MemoryError,
        RecursionError,
        zipfile.BadZipFile,
    ) as error:
        raise OutlapError(f"{arrays_at}: the checkpoint is damaged. {ANEW}") from error


ANEW = "Start the run anew in another folder, or remove this checkpoint first."


def old_format(index: Index) -> str:
    """Why no run goes on with the checkpoint of ``index``, which is of an older FORMAT, and what can be done."""
    way = (
        "to go on from this finished run, train it anew"
        if index.finished
        else "finish the run with the version that began it, or start anew in another folder"
    )
    writer = f"{'an earlier build of ' if index.outlap == __version__ else ''}Outlap {index.outlap}"
    return (
        f"the checkpoint is of format {index.format}, written by {writer}, and this Outlap ({__version__}) goes on "
        f"with format {FORMAT} only: {way}; the policy that the run has made still works."
    )


def inside(folder: Path, name: object) -> Path:
    """The path of the file ``name`` of a checkpoint's folder.

    Raises:
        OutlapError: it would lie elsewhere, or is no name that a checkpoint's file has.
    """
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise OutlapError(
            f"{folder / CHECKPOINT_INDEX}: the checkpoint names the file {str(name)!r:.80}, which cannot be in its own "
            f"folder: names there are of up to 100 ASCII letters, digits, dots, _ and -. {ANEW}"
        )
    return folder / name


@contextlib.contextmanager
def fitting(folder: Path) -> Iterator[None]:
    """Within a ``with`` block, word a :class:`StateError` for whoever resumes the run of a checkpoint's folder.

    Raises:
        OutlapError: instead of it.
    """
    try:
        yield
    except StateError as error:
        raise OutlapError(
            f"{folder / CHECKPOINT_INDEX}: the checkpoint does not fit its run: {str(error).rstrip('.')}. {ANEW}"
        ) from error


def tidy(folder: Path, keep: list[str]) -> None:
    """Remove a checkpoint's files from ``folder``, temporary ones too, except those of the names ``keep``.

    Folders and whatever else is no file are nothing that a run has left, and stay.

    Raises:
        OutlapError: one of them cannot be removed.
    """
    try:
        for path in folder.iterdir():
            ours = path.suffix in (SHARD_SUFFIX, ".npz") or path.name.startswith(".")
            if ours and path.name not in keep and (path.is_file() or path.is_symlink()):
                path.unlink(missing_ok=True)
    except OSError as error:
        raise OutlapError(f"cannot remove {error.filename}: {error.strerror or error}.") from error


def _arrays(content: bytes) -> dict[str, np.ndarray]:
    """The arrays of an ``.npz`` file.

    Raises:
        ValueError: it holds something else, or more than it may; and what numpy and zipfile raise.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
            raise ValueError("compressed")  # we never do, and a small file could become a huge one
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        arrays = {key: file[key] for key in file.files}
    if not all(isinstance(array, np.ndarray) for array in arrays.values()):
        raise ValueError("something else than arrays")
    return arrays


def _without_arrays(state: State, path: str, arrays: dict[str, np.ndarray]) -> State:
    """The state's plain part; its arrays go into ``arrays`` under their paths."""
    plain: State = {}
    for key, value in state.items():
        assert "/" not in key, "keys are parts of paths"
        at = f"{path}{key}"
        if isinstance(value, dict):
            plain[key] = _without_arrays(value, f"{at}/", arrays)
        elif isinstance(value, np.ndarray):
            arrays[at] = value
        else:
            plain[key] = value.item() if isinstance(value, np.generic) else value
    return plain


def _with_arrays(plain: State, path: str, arrays: dict[str, np.ndarray]) -> State:
    whole = {
        key: _with_arrays(value, f"{path}{key}/", arrays) if isinstance(value, dict) else value
        for key, value in plain.items()
    }
    for at, value in arrays.items():
        if at.startswith(path) and "/" not in at[len(path) :]:
            whole[at[len(path) :]] = value
    return whole
