from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tandem.spec.run import ViewSpec
from tandem.train.data.augment import Views, flip_allowed, fresh_view, rendered, whole
from tandem.train.types import ImageTable

LIMIT = 10**8


def table(count: int = 200, root: Path = Path("/nowhere"), seed: int = 0) -> ImageTable:
    random = np.random.default_rng(seed)
    return ImageTable(
        root,
        np.array([f"{number}.jpg".encode() for number in range(count)]),
        np.zeros(count, np.int64),
        random.integers(0, 256, (count, 16), dtype=np.uint8),
        ("cat", "dog"),
    )


def params(views: Views) -> np.ndarray:
    """(N, V) of all views that a cache keeps."""
    return views.params(np.arange(len(views.keys_N))[:, None], np.arange(views.count))


def render(views: Views, image_HWC: np.ndarray, row: int, view: int, size: int) -> np.ndarray:
    return rendered(image_HWC, views.params(row, view)[()], size)


def gradient(width: int = 120, height: int = 80) -> np.ndarray:
    """Red grows to the right, green downwards."""
    image_HWC = np.zeros((height, width, 3), np.uint8)
    image_HWC[..., 0] = np.linspace(0, 250, width)
    image_HWC[..., 1] = np.linspace(0, 250, height)[:, None]
    return image_HWC


def test_the_first_view_is_the_whole_image() -> None:
    views = Views.draw(table(), ViewSpec())
    image_HWC = gradient()
    shown = render(views, image_HWC, 3, 0, 32)
    assert shown.shape == (3, 32, 32)
    assert shown.dtype == np.uint8
    assert (shown == whole(image_HWC, 32).transpose(2, 0, 1)).all()
    same = gradient(32, 32)
    assert (render(views, same, 3, 0, 32).transpose(1, 2, 0) == same).all()


def test_views_depend_on_content_and_settings_not_on_place_or_count() -> None:
    one = table()
    few, many = Views.draw(one, ViewSpec(count=2)), Views.draw(one, ViewSpec(count=6))
    assert (params(few) == params(many)[:, :2]).all()
    assert few.fingerprint == many.fingerprint
    backwards = one.rows(np.arange(200)[::-1].astype(np.int64))
    assert (params(Views.draw(backwards, ViewSpec(count=6))) == params(many)[::-1]).all()
    other = Views.draw(one, ViewSpec(colour=0.1))
    assert other.fingerprint != few.fingerprint
    digits = Views.draw(replace(one, classes=("0", "1")), ViewSpec())
    assert digits.fingerprint != few.fingerprint


def test_crops_keep_their_area_and_stay_inside() -> None:
    drawn = params(Views.draw(table(3000), ViewSpec(crop_scale_min=0.5)))[:, 1:]
    area = drawn["width"] * drawn["height"]
    assert area.min() > 0.499
    assert area.max() <= 1.0001
    assert 0.72 < area.mean() < 0.78
    assert (drawn["left"] + drawn["width"]).max() <= 1.0001
    assert drawn["left"].min() >= 0
    stretch = drawn["width"] / drawn["height"]
    assert 0.7499 < stretch.min() < 0.78
    assert 1.28 < stretch.max() < 1.334
    assert 0.45 < drawn["flip"].mean() < 0.55
    assert abs(drawn["brightness"].mean() - 1) < 0.01
    assert len(np.unique(drawn["left"][:, 0])) > 2000


def test_fresh_views_are_drawn_as_kept_ones_are_and_no_two_seeds_or_times_alike() -> None:
    views, rows = Views.draw(table(3000), ViewSpec(crop_scale_min=0.5)), np.arange(3000)
    first, again = (views.params(rows, fresh_view(0, 7)) for _ in range(2))
    assert (first == again).all()
    for other in (views.params(rows, fresh_view(1, 7)), views.params(rows, fresh_view(0, 8))):
        assert (first["contrast"] == other["contrast"]).mean() < 0.01
    for kept in params(views).T[1:]:
        assert (first["contrast"] == kept["contrast"]).mean() < 0.01
        area, kept_area = (one["width"] * one["height"] for one in (first, kept))
        assert abs(area.mean() - kept_area.mean()) < 0.01
        assert abs(first["contrast"].std() - kept["contrast"].std()) < 0.005
    assert 0.45 < first["flip"].mean() < 0.55


def test_settings_of_nothing_leave_the_image_alone() -> None:
    views = Views.draw(table(), ViewSpec(crop_scale_min=1, flip="off", colour=0))
    assert (params(views)[:, 1:] == params(views)[:, :1]).all()


def test_teacher_and_student_see_the_same_crop_flip_and_colour() -> None:
    views = Views.draw(table(), ViewSpec(count=8))
    image_HWC = gradient(240, 160)
    for row in range(6):
        for view in range(1, 8):
            small = render(views, image_HWC, row, view, 16).astype(float)
            large = render(views, image_HWC, row, view, 64).astype(float)
            pooled = large.reshape(3, 16, 4, 16, 4).mean((2, 4))
            assert np.abs(pooled[:, 1:-1, 1:-1] - small[:, 1:-1, 1:-1]).max() < 6
            red = small[0, 8]
            assert (red[-1] < red[0]) == bool(params(views)[row, view]["flip"])


def test_colours_do_what_they_say() -> None:
    views = Views.draw(table(), ViewSpec(crop_scale_min=1, flip="off", count=2))
    grey = np.full((8, 8, 3), 100, np.uint8)
    one = params(views)[5, 1]
    expected = 100 * one["brightness"] * one["contrast"] + 128 * (1 - one["contrast"])
    assert np.abs(render(views, grey, 5, 1, 8) - float(expected)).max() <= 1
    white = np.full((8, 8, 3), 255, np.uint8)
    bright = np.argmax(params(views)["brightness"][:, 1])
    assert render(views, white, int(bright), 1, 8).min() > 200


def test_a_large_jpeg_decoded_small_shows_the_same(tmp_path: Path) -> None:
    Image.fromarray(gradient(1200, 900)).save(tmp_path / "0.jpg", quality=95)
    views = Views.draw(table(1, tmp_path), ViewSpec())
    one = table(1, tmp_path)
    shown = one.shown(views, 0, views.params(0, [0, 1, 2]), 32, LIMIT)
    full = np.array(Image.open(tmp_path / "0.jpg"))
    for view in range(3):
        exact = render(views, full, 0, view, 32).astype(int)
        assert np.abs(shown[view].astype(int) - exact).max() <= 6


@pytest.mark.parametrize(
    ("classes", "allowed"),
    [
        (("cat", "dog"), True),
        (("猫", "狗"), True),
        (("0", "1", "2"), False),
        (("digit_3", "digit_4"), False),
        (("three", "Four"), False),
        (("a", "b"), False),
        (("cat", "Q"), False),
        (("三", "四"), False),
        (("turn_left", "turn_right"), False),
        (("leftHand", "other"), False),
        (("左转", "右转"), False),
        (("bright", "copyright"), True),
        (("n01440764", "n01443537"), True),
        (("001.Black_footed_Albatross", "002.Laysan_Albatross"), True),
    ],
)
def test_flips_only_where_the_class_stays(classes: tuple[str, ...], allowed: bool) -> None:
    assert flip_allowed(ViewSpec(), classes) is allowed
    assert flip_allowed(ViewSpec(flip="on"), classes)
    assert not flip_allowed(ViewSpec(flip="off"), classes)
