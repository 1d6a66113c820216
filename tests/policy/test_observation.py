"""One picture in, one levelled picture out, whatever stands beside it in the batch."""

from __future__ import annotations

import numpy as np
import pytest

from outlap.policy.observation import BRIGHTEST, DEVIATION_FLOOR, frames_to_tensor


def pictures(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, shape, dtype=np.uint8)


def test_every_row_is_levelled_and_the_floor_has_unit_deviation() -> None:
    tensor = frames_to_tensor(pictures(5, 2, 48, 80))
    assert tensor.dtype == np.float32 and tensor.shape == (5, 2, 48, 80) and tensor.flags.c_contiguous
    np.testing.assert_allclose(tensor.mean(axis=3), 0, atol=1e-5)
    np.testing.assert_allclose(tensor[:, :, 12:].std(axis=(2, 3)), 1, atol=1e-5)


def test_a_bright_window_does_not_dim_the_floor() -> None:
    dark = pictures(48, 80) // 8
    lit = dark.copy()
    lit[:10, 20:60] = 255
    np.testing.assert_allclose(frames_to_tensor(lit)[10:], frames_to_tensor(dark)[10:], atol=1e-5)
    assert np.abs(frames_to_tensor(lit)).max() <= BRIGHTEST


def test_exposure_and_contrast_do_not_matter() -> None:
    dark = pictures(48, 80) // 4
    np.testing.assert_allclose(frames_to_tensor(dark), frames_to_tensor(dark * 2 + 60), atol=1e-5)


def test_a_picture_without_contrast_stays_quiet() -> None:
    flat = np.full((48, 80), 128, np.uint8)
    assert not frames_to_tensor(flat).any()
    noisy = flat + pictures(48, 80) % 2
    assert np.abs(frames_to_tensor(noisy)).max() <= 1 / DEVIATION_FLOOR


def test_the_batch_makes_no_difference() -> None:
    batch = pictures(70, 3, 48, 80)  # more than one chunk
    tensor = frames_to_tensor(batch)
    assert np.array_equal(tensor[41, 2], frames_to_tensor(batch[41, 2]))
    strided = batch.transpose(1, 0, 2, 3)
    assert np.array_equal(frames_to_tensor(strided), tensor.transpose(1, 0, 2, 3))
    assert frames_to_tensor(batch[:0]).shape == (0, 3, 48, 80)


def test_only_grey_levels_are_taken() -> None:
    for wrong in (np.zeros((4, 4), np.float32), np.zeros(4, np.uint8)):
        with pytest.raises(TypeError, match="uint8"):
            frames_to_tensor(wrong)
