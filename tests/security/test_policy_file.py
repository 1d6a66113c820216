"""config/security/policy.xml allows each program what its source and its live node use, and nothing else."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from outlap_nodes.shared import topics

from outlap.files import share_directory

NODES = share_directory() / "nodes"
POLICY = share_directory() / "config" / "security" / "policy.xml"
CALLS = {  # of nodes/shared/topics.py
    "publisher": "publish",
    "lifecycle_publisher": "publish",
    "subscription": "subscribe",
    "server": "reply",
    "client": "request",
}
# What rclpy gives every node, which no source names; the live test below compares it with real ones.
EVERY = {"publish": {"/parameter_events", "/rosout"}}
# Only in simulation, whose graph is not the car's; the recorder listens to it in any world.
SIMULATION, ANYWHERE = "/sim/", {"recorder"}

# What rclpy gives every node, or every lifecycle node, below its own name.
PRIVATE = {
    "describe_parameters",
    "get_parameter_types",
    "get_parameters",
    "list_parameters",
    "set_parameters",
    "set_parameters_atomically",
    "change_state",
    "get_available_states",
    "get_available_transitions",
    "get_state",
    "get_transition_graph",
    "get_type_description",
    "transition_event",
}

Rights = dict[str, set[str]]


def allowed() -> dict[str, Rights]:
    """Names by node and right; ``~`` is the node's own name."""
    rights: dict[str, Rights] = {}
    for profile in ElementTree.parse(POLICY).iter("profile"):
        node = rights.setdefault(profile.attrib["node"], {right: set() for right in CALLS.values()})
        for group in profile:
            for right in set(group.attrib) & set(node):
                node[right] |= {(name.text or "").replace("~", f"/{profile.attrib['node']}") for name in group}
    return rights


class Source:
    """One file of nodes/ (``motor``, ``shared/program``), by its top-level definitions."""

    def __init__(self, name: str) -> None:
        self.tree = ast.parse((NODES / f"{name}.py").read_text())
        self.definitions = {
            node.name: node for node in self.tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)
        }
        folder = name.rpartition("/")[0]
        self.siblings: list[tuple[str, str]] = []
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ImportFrom) and node.level == 1 and node.module not in (None, "shared"):
                path = "/".join(filter(None, (folder, *str(node.module).split("."))))
                self.siblings += [(path, alias.name) for alias in node.names]
        self.tables = {
            node.targets[0].id: node.value
            for node in self.tree.body
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        }

    def names(self, topic: ast.expr) -> set[str]:
        """The names that an expression stands for: ``topics.VIEW``, or a variable that loops over the file's TOPICS."""
        if isinstance(topic, ast.Attribute) and isinstance(topic.value, ast.Name) and topic.value.id == "topics":
            return {f"/{getattr(topics, topic.attr).name}"}
        assert isinstance(topic, ast.Name), ast.dump(topic)
        table = self.tables["TOPICS"]
        assert isinstance(table, ast.Tuple)
        return set().union(*(self.names(entry) for entry in table.elts))

    def rights(self, within: ast.AST) -> Iterator[tuple[str, str]]:
        for call in ast.walk(within):
            if not isinstance(call, ast.Call):
                continue
            if isinstance(call.func, ast.Name) and call.func.id == "Latest":
                for name in self.names(call.args[1]):
                    yield "subscribe", name
            if isinstance(call.func, ast.Attribute):
                assert not call.func.attr.startswith(("create_publisher", "create_sub", "create_service", "create_cli"))
                if call.func.attr in CALLS:
                    for name in self.names(call.func.value):
                        yield CALLS[call.func.attr], name


def used(node: str) -> Rights:
    """What the program ``node`` creates, itself and by the definitions that it imports from its neighbours."""
    rights: Rights = {right: set(EVERY.get(right, ())) for right in CALLS.values()}
    source = Source(node)
    parts, seen = [(source, source.tree), *_imported(source)], set()
    for source, definition in parts:
        if definition in seen:
            continue
        seen.add(definition)
        for right, name in source.rights(definition):
            if not name.startswith(SIMULATION) or node in ANYWHERE:
                rights[right].add(name)
    return rights


def _imported(source: Source) -> Iterator[tuple[Source, ast.AST]]:
    for module, name in source.siblings:
        sibling = Source(module)
        if name in sibling.definitions and name not in ("Latest", "Topic"):
            yield sibling, sibling.definitions[name]
            yield from _imported(sibling)


@pytest.mark.parametrize("node", sorted(allowed()))
def test_a_program_may_do_what_its_source_does_and_nothing_else(node: str) -> None:
    rights = {right: {name for name in names if not private(name, node)} for right, names in allowed()[node].items()}
    assert rights == used(node)


def private(name: str, node: str) -> bool:
    """Whether it is one of those that rclpy gives a node below its own name."""
    return name.removeprefix(f"/{node}/") in PRIVATE


def test_nobody_may_change_another_nodes_state_and_only_arming_is_a_service_of_ours() -> None:
    for node, rights in allowed().items():
        assert rights["request"] <= {"/motor/arm", "/motor/get_parameters"}, node
        assert {name for name in rights["reply"] if not private(name, node)} <= {"/motor/arm"}
    speak = {topic: {node for node, rights in allowed().items() if topic in rights["publish"]} for topic in TOPICS}
    assert speak == TOPICS


# Who may say what moves the car, or what a person trusts.
TOPICS = {
    "/cmd_vel": {"policy"},
    "/cmd_vel/hand": {"hand", "keyboard"},
    "/motor/state": {"motor"},
    "/camera/image": {"camera"},
    "/joy": {"joystick"},
    "/gamepad": {"joystick"},
}


def test_it_has_the_schemas_form() -> None:
    # sros2/policy/schemas/policy.xsd, as far as it matters: the standard library validates no schemas.
    root = ElementTree.parse(POLICY).getroot()
    assert root.tag == "policy" and root.attrib == {"version": "0.2.0"}
    assert [child.tag for child in root] == ["contexts"]
    items = {"topics": ("topic", {"publish", "subscribe"}), "services": ("service", {"reply", "request"})}
    paths = []
    for context in root[0]:
        assert context.tag == "context" and set(context.attrib) == {"path"} and [c.tag for c in context] == ["profiles"]
        paths.append(context.attrib["path"])
        for profile in context[0]:
            assert profile.tag == "profile" and set(profile.attrib) == {"ns", "node"}
            assert paths[-1] == f"/outlap/{profile.attrib['node']}"
            for group in profile:
                item, rights = items[group.tag]
                assert group.attrib and set(group.attrib) <= rights and set(group.attrib.values()) == {"ALLOW"}
                assert len(group) and {child.tag for child in group} == {item}
                names = [child.text or "" for child in group]
                assert len(set(names)) == len(names) and all(name.startswith(("/", "~/")) for name in names)
    assert len(set(paths)) == len(paths)


@pytest.mark.live
def test_a_live_node_offers_nothing_that_it_may_not(
    probe: Any, start: Callable[..., Any], constant_policy: Callable[[float, float], Path]
) -> None:
    programs = {"camera": {}, "policy": {"policy": constant_policy(0.0, 1.0)}, "motor": {}, "hand": {}}
    for name, parameters in programs.items():
        start(name, use_sim_time=False, **parameters)
    node = probe.node
    asked = {
        "publish": node.get_publisher_names_and_types_by_node,
        "subscribe": node.get_subscriber_names_and_types_by_node,
        "reply": node.get_service_names_and_types_by_node,
        "request": node.get_client_names_and_types_by_node,
    }
    probe.until(lambda: set(programs) <= set(node.get_node_names()), "all nodes coming up")
    probe.until(lambda: node.count_publishers("/diagnostics") == len(programs), "all nodes being ready")
    for name in programs:
        assert any("/change_state" in service for service, _ in asked["reply"](name, "/"))
        for right, ask in asked.items():
            offered = {topic for topic, _ in ask(name, "/") if not topic.startswith(SIMULATION)}
            assert offered <= allowed()[name][right], f"/{name}: {right}"


KEYS = ("identity_ca.cert", "cert", "key", "permissions_ca.cert")


@pytest.mark.live
@pytest.mark.parametrize("keys", ["none", "rubbish"])
def test_a_node_whose_keys_are_no_good_does_not_start_without_them(
    start: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, keys: str
) -> None:
    monkeypatch.setenv("ROS_SECURITY_ENABLE", "true")
    monkeypatch.setenv("ROS_SECURITY_STRATEGY", "Enforce")
    monkeypatch.setenv("ROS_SECURITY_KEYSTORE", str(tmp_path))
    (tmp_path / "enclaves").mkdir()
    if keys == "rubbish":  # a Fast DDS without security refuses any
        folder = tmp_path / "enclaves" / "outlap" / "motor"
        folder.mkdir(parents=True)
        for name in (*(f"{key}.pem" for key in KEYS), "governance.p7s", "permissions.p7s"):
            (folder / name).write_text("x")
    program = start("motor")
    assert program.wait() == 2
    assert "error: ROS does not" in program.said and "Traceback" not in program.said
    # Each program looks for the keys of its own name.
    assert keys == "rubbish" or "outlap/motor" in program.said
