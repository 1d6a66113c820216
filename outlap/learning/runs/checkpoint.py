"""A run's checkpoint: a folder that always holds one whole state, whatever kills the run while it saves.

``checkpoint.json`` says what the run is and names the other files with their SHA-256: the arrays of the state
(``state-<iteration>.npz``) and the student's data (``*.shard``). It is replaced last, in one rename, so that it always
names whole files; only then are those removed that it names no more. Numbers and arrays are all that these files can
hold: nothing in them is ever unpickled or executed.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from outlap.errors import OutlapError
from outlap.files import read_bytes, write_atomic
from outlap.learning.recipes.shards import SUFFIX
from outlap.states import State

FORMAT = 1
INDEX = "checkpoint.json"
LARGEST = 1 << 30  # bytes of a state's arrays, above which a file is not one of ours


class Checkpoint(NamedTuple):
    """What was read from a checkpoint's folder."""

    about: dict[str, Any]  # what the run is: its configuration, car, seed and versions
    state: State  # arrays are numpy's, whatever they were


def save_checkpoint(folder: Path, name: str, about: dict[str, Any], state: State, keep: list[str]) -> None:
    """Put a state in the place of the one before it.

    Args:
        folder: the checkpoint's; made where missing.
        name: of this state, another than the last one's.
        about: what the run is, as JSON can hold it.
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
    index = {
        "format": FORMAT,
        "about": about,
        "arrays": {"file": file, "sha256": hashlib.sha256(content).hexdigest()},
        "state": plain,
    }
    write_atomic(folder / INDEX, json.dumps(index) + "\n")
    tidy(folder, [file, *keep])


def load_checkpoint(folder: Path) -> Checkpoint | None:
    """The state that was saved last, or None where there is none.

    Raises:
        OutlapError: the checkpoint is damaged or another version's.
    """
    path = folder / INDEX
    if not path.exists():
        return None
    try:
        index = json.loads(read_bytes(path, "checkpoint"))
        if index["format"] != FORMAT:
            raise OutlapError(f"{path}: the checkpoint is of format {index['format']}, this Outlap reads {FORMAT}.")
        name, digest = index["arrays"]["file"], index["arrays"]["sha256"]
        arrays_at = folder / Path(name).name
        content = read_bytes(arrays_at, "checkpoint", LARGEST)
        if hashlib.sha256(content).hexdigest() != digest:
            raise OutlapError(f"{arrays_at}: the checkpoint is damaged (its digest differs): start the run anew.")
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
        if not all(isinstance(array, np.ndarray) for array in arrays.values()):
            raise ValueError("something else than arrays")
        return Checkpoint(index["about"], _with_arrays(index["state"], "", arrays))
    except (ValueError, KeyError, TypeError, AttributeError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise OutlapError(f"{path}: the checkpoint is damaged: start the run anew.") from error


def tidy(folder: Path, keep: list[str]) -> None:
    """Remove a checkpoint's files from ``folder``, temporary ones too, except those of the names ``keep``."""
    for path in folder.iterdir():
        ours = path.suffix in (SUFFIX, ".npz") or path.name.startswith(".")
        if ours and path.name not in keep:
            path.unlink(missing_ok=True)


def network_state(network: torch.nn.Module) -> State:
    """A network's weights."""
    return {name: value.detach().clone() for name, value in network.state_dict().items()}


def load_network(network: torch.nn.Module, state: State) -> None:
    """Fill the weights in place, so that who shares them shares these, too."""
    network.load_state_dict({name: torch.from_numpy(np.asarray(value)) for name, value in state.items()})


def optimizer_state(optimizer: torch.optim.Optimizer) -> State:
    """The moments and step counts of each parameter, in the order of the parameters."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    return {
        str(index): {name: value.detach().clone() for name, value in optimizer.state[p].items()}
        for index, p in enumerate(parameters)
        if p in optimizer.state
    }


def load_optimizer(optimizer: torch.optim.Optimizer, state: State) -> None:
    """Give an optimizer back its moments, laid out in memory as its parameters are."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for index, moments in state.items():
        parameter = parameters[int(index)]
        for name, value in moments.items():
            saved = torch.from_numpy(np.asarray(value))
            # A fused optimizer walks through memory: its moments must lie there in the order of the weights.
            like = torch.empty_like(parameter) if saved.shape == parameter.shape else torch.empty_like(saved)
            optimizer.state[parameter][name] = like.copy_(saved).requires_grad_(False)


def _without_arrays(state: State, path: str, arrays: dict[str, np.ndarray]) -> State:
    """The state's plain part; its arrays go into ``arrays`` under their paths."""
    plain: State = {}
    for key, value in state.items():
        assert "/" not in key, "keys are parts of paths"
        at = f"{path}{key}"
        if isinstance(value, dict):
            plain[key] = _without_arrays(value, f"{at}/", arrays)
        elif isinstance(value, torch.Tensor):
            arrays[at] = value.detach().contiguous().numpy()
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
