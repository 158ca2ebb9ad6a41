"""RandAugment, grey, blur and erasing: as likely and strong as asked, in mask and teacher too."""

from __future__ import annotations

import numpy as np
import pytest

from tandem.data.content import IGNORED
from tandem.spec.run import ViewSpec
from tandem.train.data.augment import PARAMS, Views, rendered, rendered_mask, view_matrix
from tandem.train.data.augment.randaugment import COLOURS
from tests.train.data.test_views import gradient, params, table

SHARE = 0.3


def drawn(**asked: object) -> np.ndarray:
    """(200, 31) views, without the whole image."""
    return params(Views.draw(table(), ViewSpec(count=32, **asked)))[:, 1:]


@pytest.mark.parametrize("name", ["grey", "blur", "erasing"])
def test_as_many_views_as_asked_are_changed_and_their_crops_are_not(name: str) -> None:
    found, before = drawn(**{name: SHARE}), drawn()
    assert not before["more"].any()
    assert abs(found["more"].mean() - SHARE) < 0.03
    same = ("left", "top", "width", "height", "flip", "brightness")
    assert all((found[one] == before[one]).all() for one in same)
    assert Views.draw(table(), ViewSpec(**{name: SHARE})).fingerprint != fingerprint()


def fingerprint() -> str:
    return Views.draw(table(), ViewSpec()).fingerprint


def test_randaugment_draws_each_operation_and_moves_no_more_than_asked() -> None:
    found = drawn(randaugment=9)
    counts = np.bincount(found["operations"].ravel(), minlength=len(COLOURS) + 1)[1:]
    assert counts.min() > 0.7 * counts.mean()
    strengths = np.abs(found["levels"][found["operations"] > 0])
    assert 8.8 < strengths.mean() < 9.2
    assert strengths.max() <= 10
    moved = found["warp"] - np.eye(2, 3)
    assert np.abs(moved).max() < 1.1
    assert 0.25 < (np.abs(moved).max((-1, -2)) > 0).mean() < 0.35  # 2 of 15 by chance a half
    assert np.abs(drawn(randaugment=1)["warp"] - np.eye(2, 3)).max() < 0.3


def test_grey_has_one_colour_and_a_blurred_view_is_smoother() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    plain = drawn(flip="off", colour=0, crop_scale_min=1)[0, 0]
    grey = drawn(flip="off", colour=0, crop_scale_min=1, grey=1)[0, 0]
    shown = rendered(noise, grey, 64)
    assert (shown[0] == shown[1]).all()
    assert (shown[1] == shown[2]).all()
    blurred = drawn(flip="off", colour=0, crop_scale_min=1, blur=1)
    strong = blurred[0, np.argmax(blurred[0]["blur"])]
    assert rendered(noise, strong, 64).std() < 0.9 * rendered(noise, plain, 64).std()


def test_a_mask_follows_its_image_and_what_is_erased_counts_for_nobody() -> None:
    image_HWC = gradient(96, 96)
    mask_HW = (image_HWC[..., 0] > 125).astype(np.uint8)
    found = drawn(randaugment=9, erasing=0.5, colour=0)
    found["operations"] = 0  # the picture's own colours tell where each pixel has gone
    for row in range(20):
        one = found[row, row]
        shown, mask = rendered(image_HWC, one, 64), rendered_mask(mask_HW, one, 64)
        known = mask != IGNORED
        sure = known & (np.abs(shown[0].astype(int) - 125) > 12)
        assert sure.sum() > 200
        assert ((shown[0] > 125) == (mask == 1))[sure].mean() > 0.98
        if one["erased"][2]:
            left, top, wide, high = (int(part) for part in one["erased"] * 64)
            assert not known[top + 1 : top + high - 1, left + 1 : left + wide - 1].any()


def test_teacher_and_student_see_the_same_at_their_own_sizes() -> None:
    image_HWC = gradient(240, 160)
    found = drawn(randaugment=9, erasing=0.3, grey=0.2)
    found["operations"][found["operations"] == COLOURS.index("SharpnessIncreasing") + 1] = 0
    for row in range(20):
        one = found[row, 3]
        small, large = rendered(image_HWC, one, 64), rendered(image_HWC, one, 128)
        pooled = large.reshape(3, 64, 2, 64, 2).astype(float).mean((2, 4))
        assert np.median(np.abs(pooled - small)) < 6


def test_the_matrix_says_where_a_place_of_the_view_lies_in_the_image() -> None:
    image_HWC = gradient(200, 200)
    found = drawn(randaugment=9, colour=0, crop_scale_min=0.3)
    found["operations"] = 0
    views = found[:40, 5]
    matrix_B23 = view_matrix(views)
    for one, matrix in zip(views, matrix_B23, strict=True):
        shown = rendered(image_HWC, one, 100)
        for x, y in ((0.3, 0.4), (0.6, 0.55)):
            at_x, at_y = matrix @ np.array([x, y, 1], np.float32)
            if not (0.05 < at_x < 0.95 and 0.05 < at_y < 0.95):
                continue
            pixel = shown[:, int(y * 100), int(x * 100)].astype(float)
            if (pixel == (124, 116, 104)).all():
                continue  # beyond the crop, though within the picture
            assert abs(pixel[0] - 250 * at_x) < 6
            assert abs(pixel[1] - 250 * at_y) < 6
    assert view_matrix(np.zeros(0, PARAMS)).shape == (0, 2, 3)
