"""The renderer against slow plain pictures, and what must hold of every picture."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from slow_renderer import Pose, bare, slow_picture

from outlap.camera.model import mount_rotation, rays
from outlap.camera.view import View
from outlap.simulation.dressing import draw_looks
from outlap.simulation.randomization import load_randomization
from outlap.simulation.rendering.ground import GroundMaps
from outlap.simulation.rendering.look import BOXES, CENTRE, FLOOR, LINE, ROAD, SKY, WALL_DARK, WALL_LIGHT, Looks
from outlap.simulation.rendering.render import Renderer
from outlap.track.geometry import TrackSet
from outlap.vehicle.car import Lens

Plain = Callable[[int], Looks]
VIEW = View(width=64, height=40)
PINHOLE = VIEW.lens
FISHEYE = Lens(model="fisheye", width=64, height=48, fx=30, fy=30, cx=31.5, cy=23.5, distortion=(0, 0, 0, 0))
HEIGHT = 0.12  # m


def on_lap(course: TrackSet, s: float, offset: float = 0, turn: float = 0, track: int = 0, pitch: float = 0.3) -> Pose:
    """A camera beside the centre line at ``s`` m, looking along it."""
    (xy,), (heading,) = course.pose(track, s, offset)
    return Pose(float(xy[0]), float(xy[1]), HEIGHT, float(heading) + turn, pitch)


def open_air(looks: Looks) -> Looks:
    """No room to be seen: floor up to the horizon, sky above."""
    for name, value in (("west", -1e4), ("east", 1e4), ("south", -1e4), ("north", 1e4)):
        looks.scalars[f"room_{name}"] = value
    looks.scalars["wall_height"] = 1e-3
    return looks


@pytest.mark.slow
@pytest.mark.parametrize("lens", [PINHOLE, FISHEYE], ids=["pinhole", "fisheye"])
@pytest.mark.parametrize(("track", "s", "turn"), [(0, 0.0, 0.0), (0, 5.0, 0.4), (1, 3.0, -0.3)])
def test_a_picture_is_what_its_rays_end_on(
    course: TrackSet, shoot: Callable, plain: Plain, lens: Lens, track: int, s: float, turn: float
) -> None:
    looks = bare(plain(1))
    if turn:  # narrow lines that leave a strip of road outside; the right one is missing
        for name, value in (("line_inset", 0.03), ("line_width", 0.03), ("right_line", 0), ("dash_duty", 0.7)):
            looks.scalars[name] = value
    pose = on_lap(course, s, 0.05, turn, track)
    fast = shoot(lens, [pose], looks, track)[0].astype(float)
    wrong = np.abs(fast - slow_picture(course.tracks[track], lens, pose, looks, 3)).max(axis=2)
    assert np.median(wrong) <= 1
    assert wrong.mean() < 2.5
    assert (wrong > 35).mean() < 0.03  # at the foot of the walls, and where whole bends fall into one row
    near = wrong[-lens.height // 3 :]
    assert near.mean() < 1
    assert (near > 35).mean() < 0.01


@pytest.mark.parametrize("lens", [PINHOLE, FISHEYE], ids=["pinhole", "fisheye"])
def test_left_is_on_the_left(course: TrackSet, shoot: Callable, plain: Plain, lens: Lens) -> None:
    looks = bare(plain(2))
    looks.colours[:] = 60
    looks.colours[:, LINE] = 250
    looks.scalars["centre_line"] = 0
    looks.scalars["left_line"], looks.scalars["right_line"] = [1, 0], [0, 1]
    for track in (0, 1):
        pictures = shoot(lens, [on_lap(course, 0.5, track=track)] * 2, looks, track)[..., 0] > 150
        middle = lens.width / 2
        assert np.flatnonzero(pictures[0, -22:-8].any(axis=0)).max() < middle
        assert np.flatnonzero(pictures[1, -22:-8].any(axis=0)).min() > middle


@pytest.mark.parametrize("track", [0, 1])
def test_a_left_bend_goes_to_the_left(course: TrackSet, shoot: Callable, plain: Plain, track: int) -> None:
    s = np.linspace(0, course.length[track], 300)
    xy, _ = course.pose(track, s)
    bend = course.locate(track, xy).curvature
    looks = open_air(bare(plain(1)))
    looks.colours[:] = 0
    looks.colours[:, CENTRE] = 250
    looks.scalars["centre_line"], looks.scalars["dash_duty"], looks.scalars["centre_half"] = 1, 1.5, 0.03
    for sign in (1, -1):
        at = s[np.argmax(sign * np.convolve(bend, np.ones(7) / 7, mode="same"))]
        picture = shoot(PINHOLE, [on_lap(course, at - 0.3, track=track, pitch=0.4)], looks, track)[0, ..., 0]
        rows = [np.average(np.arange(PINHOLE.width), weights=row) for row in picture[-22::6] if row.max() > 100]
        assert len(rows) >= 2
        assert sign * (rows[-1] - rows[0]) > 3  # further ahead it lies further to the bend's side


@pytest.mark.parametrize("pitch", [-0.2, 0.0, 0.3])
@pytest.mark.parametrize("lens", [PINHOLE, FISHEYE], ids=["pinhole", "fisheye"])
def test_the_horizon_lies_where_level_rays_go(
    course: TrackSet, shoot: Callable, plain: Plain, lens: Lens, pitch: float
) -> None:
    looks = open_air(bare(plain(1)))
    looks.colours[:] = 40
    looks.colours[:, SKY] = 240
    column = shoot(lens, [on_lap(course, 1, pitch=pitch)], looks)[0, :, lens.width // 2, 0]
    level = lens.cy - lens.fy * (pitch if lens.model == "fisheye" else np.tan(pitch))
    rows = np.arange(lens.height)
    assert (column[rows < level - 0.6] > 200).all()
    assert (column[rows > level + 0.6] < 80).all()


def test_a_wall_stands_at_its_distance_and_is_as_high_as_it_is(shoot: Callable, plain: Plain) -> None:
    looks = bare(plain(1))
    looks.colours[:] = 40
    looks.colours[:, SKY] = 140
    looks.colours[:, [WALL_DARK, WALL_LIGHT]] = 240
    for name, value in (("west", -5), ("east", 3), ("south", -4), ("north", 4)):
        looks.scalars[f"room_{name}"] = value
    looks.scalars["wall_height"] = 0.9
    for yaw, distance, shade in ((0, 2, 1), (np.pi, 6, 1), (np.pi / 2, 3, 0.85), (-np.pi / 2, 5, 0.85)):
        column = shoot(PINHOLE, [Pose(1, 1, HEIGHT, yaw, 0)], looks)[0, :, PINHOLE.width // 2, 0].astype(float)
        foot, top = (PINHOLE.cy - PINHOLE.fy * rise / distance for rise in (-HEIGHT, 0.9 - HEIGHT))
        rows = np.arange(PINHOLE.height)
        np.testing.assert_allclose(column[(rows > top + 1) & (rows < foot - 1)], 240 * shade, atol=1)
        np.testing.assert_allclose(column[rows < top - 1], 140, atol=1)
        np.testing.assert_allclose(column[rows > foot + 1], 40, atol=1)


def box_pixels(lens: Lens, pose: Pose, box: np.ndarray, grow: float) -> np.ndarray:
    """Where a box (x, y, half length, half width, height, cos, sin) stands in a pinhole picture, ``grow`` px wider."""
    x, y, a, w, tall, cosine, sine = (float(value) for value in box)
    corners = [(x + i * a * cosine - j * w * sine, y + i * a * sine + j * w * cosine) for i in (-1, 1) for j in (-1, 1)]
    pixels = []
    for px, py in corners:
        ahead = (px - pose.x) * np.cos(pose.yaw) + (py - pose.y) * np.sin(pose.yaw)
        left = (py - pose.y) * np.cos(pose.yaw) - (px - pose.x) * np.sin(pose.yaw)
        for z in (0, tall):
            up, forward = z - pose.height, ahead
            deep = forward * np.cos(pose.pitch) - up * np.sin(pose.pitch)
            down = -up * np.cos(pose.pitch) - forward * np.sin(pose.pitch)
            pixels.append((lens.cx - lens.fx * left / deep, lens.cy + lens.fy * down / deep))
    hull = cv2.convexHull(np.array(pixels, dtype=np.float32))[:, 0]
    distance = [
        [cv2.pointPolygonTest(hull, (float(u), float(v)), True) for u in range(lens.width)] for v in range(lens.height)
    ]
    return np.array(distance) > -grow


@pytest.mark.parametrize("yaw", [0.0, 0.7, 1.3])
def test_boxes_stand_where_they_should_and_hide_what_is_behind(shoot: Callable, plain: Plain, yaw: float) -> None:
    looks = bare(plain(1))
    pose = Pose(1, 1, HEIGHT, 0.5, 0.3)
    ahead = np.array([np.cos(pose.yaw), np.sin(pose.yaw)])
    nothing = shoot(PINHOLE, [pose], looks)[0].astype(int)
    # The near box is low and partly before the far and tall one.
    for slot, (distance, aside, tall) in enumerate(((0.6, 0.1, 0.08), (1.2, -0.1, 0.5))):
        place = np.array([pose.x, pose.y]) + distance * ahead + aside * np.array([-ahead[1], ahead[0]])
        looks.boxes[0, slot] = [*place, 0.1, 0.2, tall, np.cos(yaw), np.sin(yaw)]
    looks.box_colours[0, :2] = [[250, 0, 0], [0, 0, 250]]
    picture = shoot(PINHOLE, [pose], looks)[0].astype(int)
    near, far = (box_pixels(PINHOLE, pose, looks.boxes[0, slot], -0.1) for slot in (0, 1))
    around = [box_pixels(PINHOLE, pose, looks.boxes[0, slot], 0.1) for slot in (0, 1)]
    assert near.sum() > 50
    assert (far & ~around[0]).sum() > 50
    assert (near & far).sum() >= 5
    red, blue = picture[..., 0] - picture[..., 2], picture[..., 2] - picture[..., 0]
    assert (red[near] >= 170).all()
    assert (blue[far & ~around[0]] >= 170).all()
    untouched = ~(around[0] | around[1])
    np.testing.assert_array_equal(picture[untouched], nothing[untouched])
    faces = set(np.unique(picture[near][:, 0]))
    assert faces <= {250, 212, 213, 175}
    assert len(faces) >= 2  # its top and a side


def test_a_box_behind_the_camera_or_a_wall_is_not_seen(shoot: Callable, plain: Plain) -> None:
    looks = bare(plain(1))
    looks.scalars["room_east"] = 3
    pose = Pose(1, 1, HEIGHT, 0, 0.2)
    nothing = shoot(PINHOLE, [pose], looks)
    looks.box_colours[:] = 250
    for x in (0.3, 3.6):
        looks.boxes[0, 0] = [x, 1, 0.2, 0.2, 0.5, 1, 0]
        np.testing.assert_array_equal(shoot(PINHOLE, [pose], looks), nothing)
    looks.boxes[0, 0, 0] = 2
    assert (shoot(PINHOLE, [pose], looks) != nothing).any()


def random_looks(plain: Plain, n: int, seed: int) -> Looks:
    """As in training, with boxes all around."""
    rng = np.random.default_rng(seed)
    ranges = load_randomization("full").look
    assert ranges is not None
    looks, walls = draw_looks(ranges, n, rng), plain(n).scalars
    looks.boxes[..., :2] = rng.uniform(0, 6, (n, BOXES, 2))
    for name in ("room_west", "room_east", "room_south", "room_north"):
        looks.scalars[name] = walls[name]
    return looks


def random_poses(course: TrackSet, n: int, seed: int) -> list[Pose]:
    rng = np.random.default_rng(seed)
    return [on_lap(course, *draw) for draw in rng.uniform(-1, 1, (n, 3)) * [9, 0.3, 0.5]]


def test_grey_pictures_are_the_luma_of_coloured_ones(course: TrackSet, shoot: Callable, plain: Plain) -> None:
    looks = random_looks(plain, 12, 1)
    looks.scalars["noise"] = 0
    looks.scalars["curve"] = 0  # bends each colour by itself
    looks.scalars["gain"] = 0.9  # nothing burns out, for the same reason
    looks.colours[:] = looks.colours.clip(40, 215)
    looks.scalars["shade_x"] = looks.scalars["shade_y"] = 0
    looks.scalars["floor_grain"] = looks.scalars["road_grain"] = 5
    poses = random_poses(course, 12, 1)
    grey = shoot(PINHOLE, poses, looks, channels=1, parallel=True)[..., 0].astype(int)
    colour = shoot(PINHOLE, poses, looks)
    for i in range(12):
        assert np.abs(cv2.cvtColor(colour[i], cv2.COLOR_RGB2GRAY).astype(int) - grey[i]).max() <= 2


def test_sharing_the_work_among_cores_changes_nothing(course: TrackSet, shoot: Callable, plain: Plain) -> None:
    looks, poses = random_looks(plain, 12, 2), random_poses(course, 12, 2)
    looks.scalars["noise"] = 0
    serial, parallel = (shoot(PINHOLE, poses, looks, 0, 1, together).astype(int) for together in (False, True))
    assert np.abs(serial - parallel).max() <= 1


def test_a_picture_does_not_depend_on_the_others_of_its_batch(course: TrackSet, shoot: Callable, plain: Plain) -> None:
    looks, poses = random_looks(plain, 5, 3), random_poses(course, 5, 3)
    looks.scalars["noise"] = 0
    together = shoot(PINHOLE, poses, looks)
    for i, pose in enumerate(poses):
        one = Looks(looks.scalars[[i]], looks.colours[[i]], looks.boxes[[i]], looks.box_colours[[i]])
        np.testing.assert_array_equal(shoot(PINHOLE, [pose], one)[0], together[i])


def test_each_camera_sees_through_its_own_lens(course: TrackSet, shoot: Callable, plain: Plain) -> None:
    wide, narrow = (View(width=64, height=40, horizontal_fov=fov).lens for fov in (2.0, 1.4))
    maps, poses = GroundMaps.of(course.tracks), [on_lap(course, s) for s in (1.0, 2.0, 3.0)]
    looks = bare(plain(3))
    both = Renderer(np.stack([rays(wide), rays(narrow)]), maps, 3, parallel=False)
    eyes = np.array([[pose.x, pose.y, pose.height] for pose in poses])
    turns = np.stack([mount_rotation(pose.pitch, pose.roll, pose.yaw) for pose in poses])
    track = np.zeros(3, dtype=np.int64)
    pictures = both.draw(track, eyes, turns, looks, np.array([1, 0, 1]))
    alone = [shoot(lens, poses, looks) for lens in (wide, narrow)]
    for i, lens in enumerate([1, 0, 1]):
        np.testing.assert_array_equal(pictures[i], alone[lens][i])
        assert (alone[0][i] != alone[1][i]).any()
    np.testing.assert_array_equal(both.draw(track, eyes, turns, looks), alone[0])
    with pytest.raises(IndexError, match=r"beyond 0\.\.1"):
        both.draw(track, eyes, turns, looks, np.array([0, 2, 0]))


def test_noise_is_as_strong_as_asked_for_and_new_in_every_picture(
    course: TrackSet, shoot: Callable, plain: Plain
) -> None:
    looks = bare(plain(1))
    pose = [on_lap(course, 1)]
    still = shoot(PINHOLE, pose, looks).astype(float)
    looks.scalars["noise"] = 4
    one, two = (shoot(PINHOLE, pose, looks).astype(float) - still for _ in range(2))
    assert one.std() == pytest.approx(4, rel=0.1)
    assert abs(one.mean()) < 0.3
    assert abs(np.corrcoef(one.ravel(), two.ravel())[0, 1]) < 0.1


@pytest.mark.slow
def test_far_lines_do_not_flicker(course: TrackSet, shoot: Callable, plain: Plain) -> None:
    looks = open_air(bare(plain(1)))
    lens, rows = View().lens, slice(11, 18)  # from just below the horizon to about 0.7 m ahead
    fast, slow = [], []
    for step in range(8):
        start = on_lap(course, 5.0, pitch=View().pitch)
        way = 0.003 * step  # m
        pose = Pose(
            start.x + way * np.cos(start.yaw), start.y + way * np.sin(start.yaw), HEIGHT, start.yaw, start.pitch
        )
        fast.append(shoot(lens, [pose], looks)[0, rows].astype(float))
        slow.append(slow_picture(course.tracks[0], lens, pose, looks, 3, rows))
    change, smooth = (np.abs(np.diff(pictures, axis=0)) for pictures in (fast, slow))
    assert change.mean() > 0
    assert change.mean() <= smooth.mean() + 0.05
    assert change.max() <= max(60, smooth.max())  # grey levels; rays that are not averaged jump by 183


def test_no_pixel_is_ever_darker_or_brighter_than_all_paint(course: TrackSet, shoot: Callable, plain: Plain) -> None:
    n = 60
    looks = bare(plain(n))
    looks.colours[:] = looks.colours.clip(60, 240)
    looks.colours[:, [FLOOR, ROAD]] = 80
    poses = random_poses(course, n, 5)
    for lens in (View().lens, FISHEYE):
        for track in (0, 1):
            pictures = shoot(lens, poses, looks, track)
            assert pictures.min() >= 59  # what is no number comes out as zero
            assert pictures.max() <= 241


def test_pictures_stay_valid_outside_the_room_and_at_any_pose(course: TrackSet, shoot: Callable, plain: Plain) -> None:
    rng = np.random.default_rng(6)
    poses = []
    for reach in (1.0, 20.0, 1e3, 1e6):
        for _ in range(30):
            x, y = rng.uniform(-reach, reach, 2)
            yaw, pitch, roll = rng.uniform(-np.pi, np.pi, 3)
            poses.append(Pose(float(x), float(y), float(rng.choice([1e-3, 0.1, 3.0])), yaw, pitch, roll))
    poses += [Pose(2, 2, HEIGHT, 0, pitch) for pitch in (-np.pi / 2, np.pi / 2, np.pi)]
    looks = bare(plain(len(poses)))
    looks.colours[:] = looks.colours.clip(70, 240)
    for lens in (PINHOLE, FISHEYE):
        pictures = shoot(lens, poses, looks)
        assert pictures.dtype == np.uint8
        assert pictures.shape == (len(poses), lens.height, lens.width, 3)
        assert pictures.min() >= 59  # 0.85 of 70, on a wall
        assert pictures.max() <= 241
    wild = random_looks(plain, len(poses), 7)
    assert shoot(PINHOLE, poses, wild).any(axis=(1, 2, 3)).all()
