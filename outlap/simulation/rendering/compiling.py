"""How the renderer's functions are compiled."""

from __future__ import annotations

from typing import Any

import numba

FAST: dict[str, Any] = {"fastmath": True, "error_model": "numpy", "boundscheck": False}
# Of what only compiled functions call: the ways into it from Python take a third of its compilation.
INNER: dict[str, Any] = {**FAST, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}

part = numba.njit(**INNER)
