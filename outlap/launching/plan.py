"""Turns a launch file and its arguments into the list of processes to run, checking everything before one starts.

The rules are those of ROS's own launch: a configuration is one set of names that includes and sub-files share, a
group keeps its changes to itself, and an argument that is already set keeps its value.
"""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from outlap.errors import OutlapError
from outlap.launching.document import Element, read_document
from outlap.launching.namespace import inner_namespace, namespace_rules
from outlap.launching.parameters import parameter_rule, parameter_value
from outlap.launching.programs import find_command, find_program, find_share
from outlap.launching.substitutions import substitute

INCLUDE_DEPTH = 20  # files; a file that includes itself is found by this
OUTPUTS = ("screen", "both")


@dataclass(frozen=True)
class Process:
    """One program of the graph; when a ``required`` one ends, the graph ends. ``node``: it is a ROS node."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str]
    required: bool
    node: bool
    folder: Path | None = None


@dataclass(frozen=True)
class Argument:
    """An argument that a launch file declares.

    ``default`` is as written, None where a value must be given; ``choices`` are all values that it may have, or none.
    """

    name: str
    default: str | None
    description: str
    choices: tuple[str, ...]
    where: str


def plan_processes(path: Path, arguments: Mapping[str, str], environment: Mapping[str, str]) -> list[Process]:
    """The processes that a launch file describes, in its order.

    Raises:
        OutlapError: anything in the file, in one that it includes, or among the arguments that cannot be carried out.
    """
    declared = {argument.name for argument in declared_arguments(path)}
    for name in arguments:
        if name not in declared:
            known = f"it declares {', '.join(sorted(declared))}" if declared else "it declares none"
            raise OutlapError(f"{path} has no argument {name!r}; {known}.")
    planner = _Planner(dict(arguments), dict(environment))
    planner.include(path)
    if not planner.processes:
        raise OutlapError(f"{path}: nothing to run with these arguments.")
    return planner.processes


def declared_arguments(path: Path) -> list[Argument]:
    """The arguments that a launch file declares, in its order (those of included files are theirs).

    Raises:
        OutlapError: the file cannot be read.
    """
    found: list[Argument] = []

    def walk(element: Element) -> None:
        for child in element.children:
            if child.tag == "arg":
                description = child.get("description") or ""
                found.append(Argument(child["name"], child.get("default"), description, _choices(child), child.where))
            elif child.tag == "group":
                walk(child)

    walk(read_document(path))
    return found


def _choices(element: Element) -> tuple[str, ...]:
    return tuple(choice["value"] for choice in element.named("choice"))


@dataclass
class _Planner:
    values: dict[str, str]
    environment: dict[str, str]
    processes: list[Process] = field(default_factory=list)
    depth: int = 0
    namespace: str = "/"  # full, of the nodes to come

    def include(self, path: Path) -> None:
        self.depth += 1
        if self.depth > INCLUDE_DEPTH:
            raise OutlapError(f"{path}: launch files include one another more than {INCLUDE_DEPTH} deep.")
        self._run(read_document(path))
        self.depth -= 1

    def _run(self, parent: Element) -> None:
        for element in parent.children:
            if self._wanted(element):
                getattr(self, f"_do_{element.tag}")(element)

    def _do_arg(self, element: Element) -> None:
        name, choices = element["name"], _choices(element)
        about = f"the argument {name!r}" + (f" ({element['description']})" if element.get("description") else "")
        among = f"choose from {', '.join(choices)}"
        if name not in self.values:
            default = self._text(element, "default")
            if default is None:
                rest = f"; {among}" if choices else ""
                raise OutlapError(f"{element.where}: {about} must be given: {name}:=…{rest}")
            self.values[name] = default
        if choices and self.values[name] not in choices:
            raise OutlapError(f"{element.where}: {about} cannot be {self.values[name]!r}: {among}.")

    def _do_let(self, element: Element) -> None:
        self.values[self._need(element, "name")] = self._need(element, "value")

    def _do_set_env(self, element: Element) -> None:
        self.environment[self._need(element, "name")] = self._need(element, "value")

    def _do_group(self, element: Element) -> None:
        scoped = element.get("scoped") is None or self._truth(element, "scoped")
        kept = (dict(self.values), dict(self.environment), self.namespace)
        self._run(element)
        if scoped:
            self.values, self.environment, self.namespace = kept

    def _do_push_ros_namespace(self, element: Element) -> None:
        self.namespace = self._within(element)

    def _do_include(self, element: Element) -> None:
        path = Path(self._need(element, "file"))
        if not path.is_file():
            raise OutlapError(f"{element.where}: the included file {path} does not exist.")
        for argument in element.named("arg"):
            self.values[self._need(argument, "name")] = self._need(argument, "value")
        self.include(path)

    def _do_node(self, element: Element) -> None:
        package, program = self._need(element, "pkg"), self._need(element, "exec")
        command = find_program(package, program, self.environment)
        if command is None:
            raise OutlapError(
                f"{element.where}: no program {program!r} of the package {package!r} is installed; with ROS from apt, "
                f"ros-jazzy-{package.replace('_', '-')} brings it, and ROS's setup.bash must be sourced."
            )
        name = self._text(element, "name")
        namespace = self._within(element)
        ros: list[str] = []
        if name is not None:
            ros += ["-r", f"__node:={name}"]
        ros += namespace_rules(namespace)
        for remap in element.named("remap"):
            ros += ["-r", f"{self._need(remap, 'from')}:={self._need(remap, 'to')}"]
        for parameter in element.named("param"):
            # rcl cannot parse a rule for a node in a namespace; such a rule is for every node of the process.
            ros += self._parameter(parameter, name if namespace == "/" else None)
        words = (*command, *self._words(element, "args"), *(("--ros-args", *ros) if ros else ()))
        self._add(element, name or program, words)

    def _within(self, element: Element) -> str:
        """The full namespace that an element's attribute leads to from the present one."""
        try:
            return inner_namespace(self.namespace, self._text(element, "namespace") or "")
        except OutlapError as error:
            raise OutlapError(f"{element.where}: {error}") from error

    def _do_executable(self, element: Element) -> None:
        words = self._words(element, "cmd")
        command = find_command(words, self.environment)
        if command is None:
            raise OutlapError(f"{element.where}: there is no program {(words or [''])[0]!r}.")
        self._add(element, self._text(element, "name") or Path(command[0]).name, command)

    def _add(self, element: Element, name: str, command: tuple[str, ...]) -> None:
        on_exit = element.get("on_exit")
        if on_exit not in (None, "shutdown"):
            raise OutlapError(f"{element.where}: on_exit={on_exit!r} is not supported; 'shutdown' is.")
        output = self._text(element, "output") or "screen"
        if output not in OUTPUTS:
            raise OutlapError(f"{element.where}: output={output!r} is not supported; {' and '.join(OUTPUTS)} are.")
        folder = self._text(element, "cwd")
        if folder is not None and not Path(folder).is_dir():
            raise OutlapError(f"{element.where}: the folder cwd={folder!r} does not exist.")
        required = on_exit == "shutdown"
        where = None if folder is None else Path(folder)
        node = element.tag == "node"
        self.processes.append(Process(name, command, dict(self.environment), required, node, where))

    def _parameter(self, element: Element, node: str | None) -> list[str]:
        if (source := self._text(element, "from")) is not None:
            if len(element.attributes) > 1:
                raise OutlapError(f"{element.where}: <param from=…> takes no other attribute.")
            if not Path(source).is_file():
                raise OutlapError(f"{element.where}: the parameter file {source} does not exist.")
            return ["--params-file", source]
        name, value = self._text(element, "name"), self._text(element, "value")
        if name is None or value is None:
            raise OutlapError(f"{element.where}: <param> needs 'name' and 'value', or 'from'.")
        typed = parameter_value(value, element.get("type") or "yaml", f"{element.where}: parameter {name!r}")
        return ["-p", parameter_rule(node, name, typed)]

    def _wanted(self, element: Element) -> bool:
        if "if" in element.attributes:
            return self._truth(element, "if")
        return "unless" not in element.attributes or not self._truth(element, "unless")

    def _truth(self, element: Element, attribute: str) -> bool:
        text = self._need(element, attribute).strip().lower()
        if text not in ("true", "1", "false", "0"):
            raise OutlapError(f"{element.where}: {attribute}={text!r} is neither true nor false.")
        return text in ("true", "1")

    def _words(self, element: Element, attribute: str) -> list[str]:
        try:
            return shlex.split(self._text(element, attribute) or "")
        except ValueError as error:
            raise OutlapError(f"{element.where}: {attribute}: {error}.") from error

    def _need(self, element: Element, attribute: str) -> str:
        return self._text(element, attribute) or ""

    def _text(self, element: Element, attribute: str) -> str | None:
        raw = element.get(attribute)
        if raw is None:
            return None
        return substitute(raw, lambda name, words: self._resolve(element, name, words), element.where)

    def _resolve(self, element: Element, name: str, words: list[str]) -> str:
        if name == "var" and len(words) == 1:
            if words[0] not in self.values:
                raise OutlapError(f"{element.where}: $(var {words[0]}): there is no such argument here.")
            return self.values[words[0]]
        if name == "env" and len(words) in (1, 2):
            value = self.environment.get(words[0], words[1] if len(words) == 2 else None)
            if value is None:
                raise OutlapError(f"{element.where}: $(env {words[0]}): that variable is not set.")
            return value
        if name == "find-pkg-share" and len(words) == 1:
            share = find_share(words[0], self.environment)
            if share is None:
                raise OutlapError(f"{element.where}: the package {words[0]!r} is not installed.")
            return str(share)
        if name == "command" and len(words) == 1:
            return self._output(element, words[0])
        if name == "dirname" and not words:
            return str(element.path.absolute().parent)
        if name == "not-equals" and len(words) == 2:
            return str(words[0] != words[1]).lower()
        raise OutlapError(
            f"{element.where}: $({' '.join([name, *words])}) is not supported by outlap launch; "
            f"$(var NAME), $(env NAME [DEFAULT]), $(find-pkg-share PACKAGE), $(dirname), "
            f"$(command COMMAND) and $(not-equals A B) are."
        )

    def _output(self, element: Element, command: str) -> str:
        """What a command says; as in ROS, one that ends badly or complains is an error."""
        where = f"{element.where}: $(command {command})"
        try:
            found = find_command(shlex.split(command), self.environment)
            if found is None:
                raise OutlapError(f"{where}: there is no such program.")
            result = subprocess.run(found, capture_output=True, text=True, env=self.environment)
        except (OSError, ValueError) as error:
            raise OutlapError(f"{where}: {error}.") from error
        if result.returncode or result.stderr:
            said = (result.stderr.strip().splitlines() or [f"it ended with exit code {result.returncode}."])[-1]
            raise OutlapError(f"{where}: {said}")
        return result.stdout
