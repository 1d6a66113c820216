"""Somebody else's world with our car in it: what stays, what is added, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from outlap.errors import OutlapError
from outlap.gazebo.assemble import assemble, resource_path, world_file
from outlap.gazebo.world import write_world
from outlap.track.formats import save_track
from outlap.track.track import Track

pytestmark = pytest.mark.slow

CAR = """<?xml version="1.0"?><sdf version="1.9"><model name="racecar"><pose>9 9 9 0 0 0</pose>
<link name="base_link"><sensor name="camera" type="camera"><camera><image><width>8</width><height>8</height></image>
</camera></sensor></link></model></sdf>"""
START = '<frame name="start"><pose>1 2 0 0 0 0.5</pose></frame>'
SYSTEMS = {"Physics", "UserCommands", "SceneBroadcaster", "Sensors"}
Reader = Callable[..., list[str]]


@pytest.fixture
def put(tmp_path: Path) -> Callable[..., str]:
    """``put(text, start=…)``: a world's file with this content, assembled."""

    def assembled(text: str | bytes, start: tuple[float, float, float] | None = None) -> str:
        path = tmp_path / "foreign.sdf"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return assemble(path, CAR, tmp_path / "scratch", start)

    return assembled


def sdf(content: str, version: str = "1.6") -> str:
    return f'<?xml version="1.0"?><sdf version="{version}"><world name="theirs">{content}</world></sdf>'


def tags(text: str) -> ElementTree.Element:
    world = ElementTree.fromstring(text).find("world")
    assert world is not None and world.get("name") == "outlap"
    return world


def systems(world: ElementTree.Element) -> list[str]:
    return sorted(str(plugin.get("name")).rsplit("::", 1)[-1] for plugin in world.findall("plugin"))


def test_a_world_of_ours_is_complete(ring: Track, tmp_path: Path, read_sdf: Reader) -> None:
    path = write_world(ring, tmp_path / "ring")
    out = tmp_path / "all.sdf"
    out.write_text(assemble(path, CAR, tmp_path))
    lines = read_sdf(out)
    (car,) = (line.split()[2:] for line in lines if line.startswith("model racecar "))
    (start,) = (line.split()[2:] for line in lines if line.startswith("frame start "))
    assert car == start and lines.count("world outlap") == 1
    pictures = [str(mark.text) for mark in tags(out.read_text()).iter("albedo_map")]
    assert pictures and all(Path(name).is_absolute() and Path(name).is_file() for name in pictures)
    assert systems(tags(out.read_text())) == sorted(SYSTEMS)


@pytest.mark.parametrize("version", ["1.4", "1.5", "1.6", "1.7", "1.8", "1.9"])
def test_a_real_parser_reads_worlds_of_all_versions(put, tmp_path: Path, read_sdf: Reader, version: str) -> None:
    light = '<light type="directional" name="lamp"><direction>0 0 -1</direction></light>'
    out = tmp_path / "all.sdf"
    out.write_text(put(sdf(light, version), (1, 2, 0.5)))
    lines = read_sdf(out)
    assert "world outlap" in lines and any(line.startswith("light lamp ") for line in lines)
    (car,) = (line.split()[2:] for line in lines if line.startswith("model racecar "))
    assert [float(word) for word in car] == [1, 2, 0, 0, 0, 0.5]


def test_what_the_world_says_stays(put) -> None:
    own = (
        '<physics name="slow" type="ode"><max_step_size>0.004</max_step_size></physics>'
        "<scene><ambient>0.1 0.2 0.3 1</ambient></scene><gravity>0 0 -3.7</gravity>"
        '<light name="lamp" type="point"/><model name="rock"><link name="l"/></model>'
        '<gz:custom xmlns:gz="urn:x" deep="1">text &amp; more</gz:custom><undeclared:element/>'
    )
    text = put(sdf(START + own))
    for piece in (
        "slow",
        "0.004",
        "0.1 0.2 0.3 1",
        "0 0 -3.7",
        "lamp",
        "rock",
        "text &amp; more",
        "<undeclared:element",
    ):
        assert piece in text
    assert "<gz:custom" in text


def test_only_missing_systems_are_added(put) -> None:
    own = (
        '<plugin filename="ignition-gazebo-physics-system" name="ignition::gazebo::systems::Physics"/>'
        '<plugin filename="gz-sim-sensors-system" name="gz::sim::systems::Sensors"><render_engine>ogre</render_engine>'
        '</plugin><plugin filename="gz-sim-imu-system" name="gz::sim::systems::Imu"/>'
    )
    world = tags(put(sdf(START + own)))
    assert systems(world) == sorted(SYSTEMS | {"Imu"})
    assert world.findtext("plugin[@name='gz::sim::systems::Sensors']/render_engine") == "ogre"
    added = tags(put(sdf(START)))
    assert added.findtext("plugin[@name='gz::sim::systems::Sensors']/render_engine") == "ogre2"


def test_a_models_own_plugin_is_no_system_of_the_world(put) -> None:
    mine = '<model name="m"><link name="l"/><plugin filename="x" name="gz::sim::systems::Sensors"/></model>'
    assert systems(tags(put(sdf(START + mine)))) == sorted(SYSTEMS)


def test_relative_files_become_absolute(put, tmp_path: Path) -> None:
    for name in ("meshes/a b.dae", "textures/t.png", "models/tree/model.sdf", "sky.dds", "height.png", "grass.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    own = (
        "<include><uri>models/tree</uri></include><include><uri>model://shop</uri></include>"
        "<scene><sky><cubemap_uri>sky.dds</cubemap_uri></sky></scene>"
        '<model name="m"><link name="l"><visual name="v"><geometry><mesh><uri> meshes/a b.dae </uri></mesh></geometry>'
        "<material><diffuse>1 1 1 1</diffuse><pbr><metal><albedo_map>textures/t.png</albedo_map>"
        "<normal_map>file://textures/t.png</normal_map><roughness_map>missing.png</roughness_map></metal></pbr>"
        '</material></visual><visual name="h"><geometry><heightmap><uri>./height.png</uri><texture>'
        "<diffuse>grass.png</diffuse><normal>/abs/n.png</normal></texture></heightmap></geometry></visual></link></model>"
        "<include><uri>https://example.org/1.0/models/x</uri></include>"
        '<plugin filename="p" name="p"><uri>sky.dds</uri></plugin>'
    )
    world = tags(put(sdf(START + own)))
    assert [str(mark.text) for mark in world.findall("include/uri")] == [
        str(tmp_path / "models/tree"),
        "model://shop",
        "https://example.org/1.0/models/x",
    ]
    assert world.findtext(".//cubemap_uri") == str(tmp_path / "sky.dds")
    assert world.findtext(".//mesh/uri") == str(tmp_path / "meshes/a b.dae")
    assert world.findtext(".//albedo_map") == world.findtext(".//normal_map") == str(tmp_path / "textures/t.png")
    assert world.findtext(".//roughness_map") == "missing.png"
    assert world.findtext(".//heightmap/uri") == str(tmp_path / "height.png")
    assert world.findtext(".//texture/diffuse") == str(tmp_path / "grass.png")
    assert world.findtext(".//texture/normal") == "/abs/n.png"
    assert world.findtext(".//material/diffuse") == "1 1 1 1"
    assert world.findtext("plugin[@name='p']/uri") == "sky.dds"


def test_a_relative_path_to_the_world_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "t.png").write_text("x")
    (tmp_path / "w.world").write_text(sdf(START + "<model name='m'><uri>t.png</uri></model>"))
    monkeypatch.chdir(tmp_path)
    assert tags(assemble("w.world", CAR, tmp_path)).findtext(".//uri") == str(tmp_path / "t.png")


def test_a_given_start_wins(put) -> None:
    assert tags(put(sdf(START))).findtext("model/pose") == "0 0 0 0 0 0"
    world = tags(put(sdf(START), (3, -4, 0.25)))
    pose = world.find("model/pose")
    assert pose is not None and pose.text == "3 -4 0 0 0 0.25" and not pose.attrib


def test_gazebo_looks_for_models_beside_the_world(tmp_path: Path) -> None:
    for name in ("models", "worlds/models"):
        (tmp_path / name).mkdir(parents=True)
    beside = [str(tmp_path / name) for name in ("worlds", "worlds/models", "models")]
    assert resource_path(tmp_path / "worlds" / "w.sdf").split(":") == beside
    assert resource_path(tmp_path / "worlds" / "w.sdf", "/a:/b").split(":") == ["/a", "/b", *beside]
    assert resource_path("oval", "/a") == "/a" and resource_path("oval") == ""


def test_it_does_not_change_the_file(put, tmp_path: Path) -> None:
    put(sdf(START))
    assert (tmp_path / "foreign.sdf").read_text() == sdf(START)


def nested(depth: int) -> str:
    return sdf(START + "<a>" * depth + "</a>" * depth)


BOMB = '<?xml version="1.0"?><!DOCTYPE sdf [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>' + sdf("&b;")[21:]
OUTSIDE = '<!DOCTYPE sdf [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + sdf("&x;")[21:]
REFUSED = {
    "empty": ("", "line 1: the world is no well-formed XML: no element found"),
    "no XML": ("name: oval\n", "line 1: the world is no well-formed XML"),
    "cut short": (sdf(START)[:-9], "no well-formed XML"),
    "unclosed": ("<sdf version='1.6'>\n<world name='w'>\n</wrld></sdf>", "line 3: .*mismatched tag"),
    "two roots": (sdf("") + "<sdf/>", "no well-formed XML"),
    "URDF": ("<robot name='r'/>", "outermost element is <robot>, not <sdf>"),
    "a model": ("<sdf version='1.6'><model name='m'/></sdf>", "holds no <world>"),
    "two worlds": ("<sdf version='1.6'><world name='a'/><world name='b'/></sdf>", "holds 2 worlds"),
    "entities": (BOMB, "declares a document type"),
    "a file outside": (OUTSIDE, "declares a document type"),
    "no start": (sdf(""), "does not say where the car starts"),
    "the car already": (sdf(START + "<model name='racecar'/>"), "already holds a model 'racecar'"),
    "the car, included": (sdf("<include><uri>model://x</uri><name> racecar </name></include>"), "already holds"),
    "too deep": (nested(5000), "more than 200 deep"),
    "NUL": (b"<sdf>\0</sdf>", "no well-formed XML"),
    "not its encoding": (b'<?xml version="1.0" encoding="utf-8"?><sdf>\xff</sdf>', "no well-formed XML"),
    "no such encoding": (b'<?xml version="1.0" encoding="klingon"?><sdf/>', "the world "),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_world_is_refused(put, case: str, tmp_path: Path) -> None:
    text, reason = REFUSED[case]
    with pytest.raises(OutlapError, match=reason) as error:
        put(text)
    assert str(tmp_path / "foreign.sdf") in str(error.value) and "\n" not in str(error.value)


def test_other_encodings_are_read(put) -> None:
    content = f'<?xml version="1.0" encoding="{{}}"?><sdf version="1.6"><world name="ü">{START}</world></sdf>'
    for encoding in ("utf-8-sig", "utf-16", "iso-8859-1", "windows-1252"):
        assert tags(put(content.format(encoding.replace("-sig", "")).encode(encoding)))


def test_what_gazebos_parser_takes_is_taken(put) -> None:
    comment = "<!-- gz topic --msgtype <world> --\n -- -->"
    text = "\n \n" + sdf(START + comment + "<a><![CDATA[<!-- no comment ]]></a><!---->").replace(
        "<sdf", "<!-- -- --><sdf"
    )
    world = tags(put(text))
    assert world.findtext("a") == "<!-- no comment "
    with pytest.raises(OutlapError, match=r"line 4: .*mismatched tag"):
        put(text.replace("</a>", "</b>"))
    for unclosed in ("<!--", "<!-- " * 300_000, "<![CDATA[", "<![CDATA[ " * 300_000):
        with pytest.raises(OutlapError, match="no well-formed XML"):
            put(sdf(START + unclosed))


@pytest.mark.parametrize("start", [(float("nan"), 0, 0), (0, float("inf"), 0)])
def test_a_start_that_is_nowhere_is_refused(put, start: tuple[float, float, float]) -> None:
    with pytest.raises(OutlapError, match="finite"):
        put(sdf(START), start)


def test_a_car_without_its_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.sdf"
    path.write_text(sdf(START))
    for car in (CAR.replace("racecar", "lorry"), "<sdf/>"):
        with pytest.raises(OutlapError, match="exactly one <model name='racecar'>"):
            assemble(path, car, tmp_path)


@pytest.mark.parametrize("world", ["no-such-track", "no/such.sdf", "no/such.world", "x" * 5000, "", "."])
def test_what_is_not_there_is_refused(tmp_path: Path, world: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OutlapError):
        assemble(world, CAR, tmp_path / "scratch")
    assert not list(tmp_path.iterdir())


def test_a_tracks_own_world_is_taken_while_it_is_the_tracks(ring: Track, tmp_path: Path) -> None:
    folder, scratch = tmp_path / "ring", tmp_path / "scratch"
    save_track(ring, folder / "track.yaml")
    assert world_file(folder, scratch) == scratch / "world.sdf"
    from outlap.track.formats import load_track

    write_world(load_track(folder), folder)
    for name in (folder, folder / "track.yaml"):
        assert world_file(name, tmp_path / "unused") == folder / "world.sdf"
    save_track(ring.reversed(), folder / "track.yaml")
    assert world_file(folder, tmp_path / "again") == tmp_path / "again" / "world.sdf"
    assert not (tmp_path / "unused").exists()


def test_a_shipped_name_and_a_folder_with_a_world_only(ring: Track, tmp_path: Path) -> None:
    from outlap.files import share_directory

    assert world_file("oval", tmp_path) == share_directory() / "worlds" / "oval" / "world.sdf"
    write_world(ring, tmp_path / "only")
    assert world_file(tmp_path / "only", tmp_path) == tmp_path / "only" / "world.sdf"


def test_a_route_becomes_a_world(ring: Track, tmp_path: Path) -> None:
    save_track(ring, tmp_path / "route.npy")
    text = assemble(tmp_path / "route.npy", CAR, tmp_path / "scratch")
    assert str(tmp_path / "scratch" / "ground.png") in text
