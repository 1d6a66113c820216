"""A reward file loaded once for each car, so that what it keeps between two calls is that car's own."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

NAME = "user_reward"  # of the file's module


class Copies:
    """The modules of n cars' copies of a file.

    A file made for DeepRacer knows of one car on one track: its globals hold the step before, or what it has worked out
    of the waypoints. So a car that is put on another track gets a new copy, as when training begins. Modules that the
    file imports from its own folder belong to the copy, too; all others are shared.
    """

    def __init__(self, path: Path, n: int, loading: Callable[[], object] = lambda: None) -> None:
        """Load ``path`` for the first of ``n`` cars; the others follow with their first call, after ``loading()``.

        Raises:
            BaseException: whatever the file raises; SyntaxError where it is no Python.
        """
        self._folder, self._loading = str(path.parent), loading
        sys.path.insert(0, self._folder)  # a file may import its neighbours
        self._loader = SourceFileLoader(NAME, str(path))
        self._code = self._loader.source_to_code(self._loader.get_data(str(path)), str(path))
        self._modules: list[dict[str, ModuleType]] = [{} for _ in range(n)]  # each car's own, by their names
        self._functions: list[Callable[[dict[str, Any]], Any] | None] = [None] * n
        self._tracks: list[int | None] = [None] * n  # that each car's copy is of
        self._inside = 0  # the car whose modules importing finds
        self._known = len(sys.modules)
        self.first = self._loaded(0)

    def function(self, car: int, track: int) -> Callable[[dict[str, Any]], Any]:
        """The ``reward_function`` of ``car`` on ``track``, to be called before that of another car is asked for.

        Raises:
            BaseException: whatever the file raises as it is loaded.
        """
        self._enter(car)
        if self._tracks[car] != track:
            self._loading()
            fresh = car == 0 and self._tracks[0] is None
            module = self.first if fresh else self._loaded(car)
            self._tracks[car], self._functions[car] = track, module.reward_function
        function = self._functions[car]
        assert function is not None
        return function

    def _loaded(self, car: int) -> ModuleType:
        """A new copy for the car that is inside."""
        self._take_out()
        self._modules[car] = {}
        spec = importlib.util.spec_from_loader(NAME, self._loader)
        assert spec is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[NAME] = module
        exec(self._code, module.__dict__)
        return module

    def _enter(self, car: int) -> None:
        if car != self._inside:
            self._take_out()
            sys.modules.update(self._modules[car])
            self._inside, self._known = car, len(sys.modules)

    def _take_out(self) -> None:
        """Take the modules of the car that is inside out of sight, those among them that it has imported since."""
        if len(sys.modules) != self._known:
            self._modules[self._inside] = {
                name: module for name, module in sys.modules.items() if self._is_beside(module)
            }
        for name in self._modules[self._inside]:
            sys.modules.pop(name, None)
        self._known = len(sys.modules)

    def _is_beside(self, module: object) -> bool:
        file = getattr(module, "__dict__", {}).get("__file__")
        return isinstance(file, str) and file.endswith(".py") and file.rpartition("/")[0] == self._folder
