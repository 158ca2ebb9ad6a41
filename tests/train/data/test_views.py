from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tandem.spec.run import ViewSpec
from tandem.train.data.augment import Views, flip_allowed, whole
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


def gradient(width: int = 120, height: int = 80) -> np.ndarray:
    """Red grows to the right, green downwards."""
    image_HWC = np.zeros((height, width, 3), np.uint8)
    image_HWC[..., 0] = np.linspace(0, 250, width)
    image_HWC[..., 1] = np.linspace(0, 250, height)[:, None]
    return image_HWC


def test_the_first_view_is_the_whole_image() -> None:
    views = Views.draw(table(), ViewSpec())
    image_HWC = gradient()
    shown = views.render(image_HWC, 3, 0, 32).numpy()
    assert shown.shape == (3, 32, 32)
    assert shown.dtype == np.uint8
    assert (shown == whole(image_HWC, 32).transpose(2, 0, 1)).all()
    same = gradient(32, 32)
    assert (views.render(same, 3, 0, 32).numpy().transpose(1, 2, 0) == same).all()


def test_views_depend_on_content_and_settings_not_on_place_or_count() -> None:
    one = table()
    few, many = Views.draw(one, ViewSpec(count=2)), Views.draw(one, ViewSpec(count=6))
    assert (few.params_NV == many.params_NV[:, :2]).all()
    assert few.fingerprint == many.fingerprint
    backwards = one.rows(np.arange(200)[::-1].astype(np.int64))
    assert (Views.draw(backwards, ViewSpec(count=6)).params_NV == many.params_NV[::-1]).all()
    other = Views.draw(one, ViewSpec(colour=0.1))
    assert other.fingerprint != few.fingerprint
    digits = Views.draw(replace(one, classes=("0", "1")), ViewSpec())
    assert digits.fingerprint != few.fingerprint


def test_crops_keep_their_area_and_stay_inside() -> None:
    params = Views.draw(table(3000), ViewSpec(crop_scale_min=0.5)).params_NV[:, 1:]
    area = params["width"] * params["height"]
    assert area.min() > 0.499
    assert area.max() <= 1.0001
    assert 0.72 < area.mean() < 0.78
    assert (params["left"] + params["width"]).max() <= 1.0001
    assert params["left"].min() >= 0
    stretch = params["width"] / params["height"]
    assert 0.7499 < stretch.min() < 0.78
    assert 1.28 < stretch.max() < 1.334
    assert 0.45 < params["flip"].mean() < 0.55
    assert abs(params["brightness"].mean() - 1) < 0.01
    assert len(np.unique(params["left"][:, 0])) > 2000


def test_settings_of_nothing_leave_the_image_alone() -> None:
    views = Views.draw(table(), ViewSpec(crop_scale_min=1, flip="off", colour=0))
    assert (views.params_NV[:, 1:] == views.params_NV[:, :1]).all()


def test_teacher_and_student_see_the_same_crop_flip_and_colour() -> None:
    views = Views.draw(table(), ViewSpec(count=8))
    image_HWC = gradient(240, 160)
    for row in range(6):
        for view in range(1, 8):
            small = views.render(image_HWC, row, view, 16).numpy().astype(float)
            large = views.render(image_HWC, row, view, 64).numpy().astype(float)
            pooled = large.reshape(3, 16, 4, 16, 4).mean((2, 4))
            assert np.abs(pooled[:, 1:-1, 1:-1] - small[:, 1:-1, 1:-1]).max() < 6
            red = small[0, 8]
            assert (red[-1] < red[0]) == bool(views.params_NV[row, view]["flip"])


def test_colours_do_what_they_say() -> None:
    views = Views.draw(table(), ViewSpec(crop_scale_min=1, flip="off", count=2))
    grey = np.full((8, 8, 3), 100, np.uint8)
    one = views.params_NV[5, 1]
    expected = 100 * one["brightness"] * one["contrast"] + 128 * (1 - one["contrast"])
    assert np.abs(views.render(grey, 5, 1, 8).numpy() - float(expected)).max() <= 1
    white = np.full((8, 8, 3), 255, np.uint8)
    bright = np.argmax(views.params_NV["brightness"][:, 1])
    assert views.render(white, int(bright), 1, 8).min() > 200


def test_a_large_jpeg_decoded_small_shows_the_same(tmp_path: Path) -> None:
    Image.fromarray(gradient(1200, 900)).save(tmp_path / "0.jpg", quality=95)
    views = Views.draw(table(1, tmp_path), ViewSpec())
    shown = views.show(table(1, tmp_path), 0, [0, 1, 2], 32, LIMIT)
    full = np.array(Image.open(tmp_path / "0.jpg"))
    for view in range(3):
        exact = views.render(full, 0, view, 32).numpy().astype(int)
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
