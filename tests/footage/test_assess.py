"""A policy that sees agrees with the human on a recording, whose camera is found without being told."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from outlap.camera.warp import Warp
from outlap.errors import OutlapError
from outlap.footage.assess import Report, Shown, assess
from outlap.footage.drive import steer, watch
from outlap.footage.mount import SHORTER, mounted
from outlap.footage.tub import read_tub
from outlap.policy.file import load_policy
from outlap.policy.runtime import BatchDriver, Policy
from outlap.vehicle.car import Car


@pytest.fixture(scope="module")
def policy(seeing_policy: Path) -> Policy:
    return load_policy(seeing_policy)


@pytest.fixture(scope="module")
def assessed(policy: Policy, recording: Path, car: Car) -> tuple[Report, list[Shown]]:
    return assess(policy, recording, camera=car.camera)


@pytest.mark.slow
def test_a_policy_that_sees_steers_as_the_human_did(assessed: tuple[Report, list[Shown]]) -> None:
    report, _ = assessed
    assert report.total.frames == 45 * 20 - 60  # without the erased ones
    assert report.total.human.correlation > 0.9
    assert report.total.human.sign_agreement > 0.98
    assert abs(report.total.human.lag_s) <= 0.1
    assert report.total.human.turns > 200
    assert report.total.yaw.correlation > 0.75
    assert report.total.yaw.sign_agreement > 0.9
    assert report.total.mirror_consistency > 0.99
    assert (report.problems, report.camera_from) == ([], "given")
    assert (
        0.98 < report.coverage < 1
    )  # from 0.13 m above the ground it does not see the nearest that one at 0.12 m would


def test_a_policy_that_does_not_look_is_found_out(
    constant_policy: Callable[[float, float], Path], recording: Path, car: Car
) -> None:
    report, _ = assess(load_policy(constant_policy(1.0, 1.0)), recording, camera=car.camera, part=0.5)
    assert report.total.human.correlation == 0
    assert report.total.human.sign_agreement < 0.8
    assert report.total.mirror_consistency == 0


@pytest.mark.slow
def test_the_camera_is_found_from_the_pictures(policy: Policy, recording: Path, car: Car) -> None:
    found = mounted([read_tub(recording)], policy.contract.observation.view)
    lens = found.camera.lens
    assert re.fullmatch(r"focal length 0\.85 of the 0\.4\d+ from its laps; pitch from its motion", found.says)
    true = car.camera.lens
    assert lens.fx / lens.width == pytest.approx(SHORTER * true.fx / true.width, rel=0.15)
    horizon = (lens.cy - found.camera.pitch * lens.fx, true.cy - car.camera.pitch * true.fx)  # rows
    assert horizon[0] == pytest.approx(horizon[1], abs=7)
    assert assess(policy, recording)[0].total.human.sign_agreement > 0.95
    assert found.camera.height == policy.contract.observation.view.camera_height


def test_memory_is_that_of_a_drive(recording: Path, policy: Policy, car: Car, write_tub: Callable[..., Path]) -> None:
    """At the policy's own rate a recording is what the policy node sees."""
    folder = recording.parent / "fast"
    tub = read_tub(recording)
    pictures = np.stack([np.asarray(tub.picture(row)) for row in range(30)])
    stamps = np.arange(30) / policy.contract.rate_hz
    stamps[20:] += 3.0  # a silence, after which the memory starts anew
    write_tub(folder, pictures, np.zeros(30), stamps=stamps)
    try:
        footage = watch(read_tub(folder), Warp(car.camera, policy.contract.observation.view))
        plain, mirrored = steer(policy, footage)
        for wanted, views in ((plain, footage.views), (mirrored, footage.views[..., ::-1])):
            driver, alone = BatchDriver(policy, 1), []
            for row, view in enumerate(views):
                if row == 20:
                    driver.reset()
                alone.append(driver.act(view[None])[0, 0])
            np.testing.assert_allclose(wanted, alone, atol=1e-4)
    finally:
        shutil.rmtree(folder)


def test_broken_pictures_are_left_out_and_named(policy: Policy, recording: Path, car: Car, tmp_path: Path) -> None:
    folder = shutil.copytree(recording, tmp_path / "tub")
    images = folder / "images"
    (images / "3_cam_image_array_.jpg").unlink()
    cut = images / "300_cam_image_array_.jpg"
    cut.write_bytes(cut.read_bytes()[:-400])
    (images / "470_cam_image_array_.jpg").write_bytes(b"no picture at all")
    cv2.imwrite(str(images / "600_cam_image_array_.jpg"), np.zeros((60, 80), np.uint8))
    (images / "700_cam_image_array_.jpg").write_bytes(b"")
    report, shown = assess(policy, folder, camera=car.camera)
    assert report.total.frames == 45 * 20 - 60 - 5
    assert report.total.left_out == len(report.problems) == 5
    assert report.total.human.sign_agreement > 0.95
    for problem, (place, why) in zip(
        report.problems,
        (
            ("catalog_0.catalog, line 4", "3_cam_image_array_.jpg: cannot read the picture: No such file or directory"),
            ("catalog_0.catalog, line 301", "300_cam_image_array_.jpg: the picture is cut short"),
            ("catalog_1.catalog, line 21", "470_cam_image_array_.jpg: the picture cannot be decoded"),
            ("catalog_1.catalog, line 151", "the picture has 80x60 pixels instead of 160x120"),
            ("catalog_1.catalog, line 251", "the picture cannot be decoded"),
        ),
        strict=True,
    ):
        assert place in problem
        assert why in problem
        assert problem.endswith("; the record is left out.")
    tub = shown[0].tub
    assert tub.segment[-1] == 6  # six gaps: the erased records, and five broken ones


def test_footage_that_shows_nothing_is_refused(policy: Policy, recording: Path, car: Car, tmp_path: Path) -> None:
    folder = shutil.copytree(recording, tmp_path / "tub", ignore=shutil.ignore_patterns("*.jpg"))
    with pytest.raises(OutlapError, match=r"no picture can be read; .*0_cam_image_array_.jpg: cannot read"):
        assess(policy, folder)
    wrong = car.camera.model_copy(update={"lens": car.camera.lens.model_copy(update={"width": 320})})
    with pytest.raises(OutlapError, match="its pictures have 160x120 pixels, the camera file's lens 320x120"):
        assess(policy, recording, camera=wrong)
