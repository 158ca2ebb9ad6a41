"""Masks of every kind: read as they are meant, or refused in words, by every command."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tandem.data.content import Content, Item, Shape
from tandem.data.faults import Faults
from tandem.data.inspection.check import report
from tandem.data.masks import class_mask, class_shapes, item_mask, mask_rle, read_mask, shape_mask
from tandem.data.outlines import traced
from tandem.data.registry import find, read
from tandem.data.writing import convert
from tandem.data.writing.split import split
from tandem.spec.errors import DataError
from tests.data import make

SIZE = 16
Mask = NDArray[np.uint8]


def put(root: Path, name: str, mask: Mask | Image.Image, suffix: str = ".png") -> Path:
    """A picture `images/<name>.png` and its mask `masks/<name><suffix>`."""
    image = root / "images" / f"{name}.png"
    image.parent.mkdir(parents=True, exist_ok=True)
    seed = zlib.crc32(name.encode())
    noise = np.random.default_rng(seed).integers(0, 255, (SIZE, SIZE, 3), np.uint8)
    Image.fromarray(noise).save(image)
    file = root / "masks" / f"{name}{suffix}"
    file.parent.mkdir(parents=True, exist_ok=True)
    whole = mask if isinstance(mask, Image.Image) else Image.fromarray(mask)
    whole.save(file)
    return file


def block(value: int, size: int = SIZE) -> Mask:
    mask = np.zeros((size, size), np.uint8)
    mask[4:10, 4:10] = value
    return mask


def classes(root: Path, *names: str) -> None:
    make.write(root / "classes.txt", "".join(f"{one}\n" for one in names))


def told(root: Path) -> list[str]:
    return [one.sentence() for one in report(root).faults if not one.warning]


def test_masks_are_found_by_their_path_and_not_by_their_stem(tmp_path: Path) -> None:
    classes(tmp_path, "background", "one", "two")
    put(tmp_path, "train/a/0001", block(1))
    put(tmp_path, "train/b/0001", block(2))
    content = read(tmp_path, Faults())
    assert [(one.name, one.mask, one.mask_values) for one in content.train] == [
        ("images/train/a/0001.png", b"masks/train/a/0001.png", (0, 1)),
        ("images/train/b/0001.png", b"masks/train/b/0001.png", (0, 2)),
    ]


def test_a_mask_that_could_be_of_two_images_is_of_none(tmp_path: Path) -> None:
    classes(tmp_path, "background", "one")
    put(tmp_path, "train/a", block(1))
    Image.new("RGB", (SIZE, SIZE)).save(tmp_path / "images/train/a.bmp")
    assert len(told(tmp_path)) == 2
    assert "could be of either" in told(tmp_path)[0]
    (tmp_path / "masks/train/a.png").rename(tmp_path / "masks/train/a.png.png")
    Image.fromarray(block(1)).save(tmp_path / "masks/train/a.bmp.png")
    content = read(tmp_path, faults := Faults())
    assert not faults.found
    assert [one.mask for one in content.train] == [
        b"masks/train/a.bmp.png", b"masks/train/a.png.png"]  # fmt: skip


def test_several_masks_of_one_image_are_told(tmp_path: Path) -> None:
    classes(tmp_path, "background", "one")
    put(tmp_path, "train/a", block(1))
    put(tmp_path, "train/a", block(1), ".bmp")
    [only] = told(tmp_path)
    assert only.startswith("images/train/a.png: it has several masks")


@pytest.mark.parametrize("way", ["{kind}/{split}", "{split}/{kind}"])
def test_splits_are_read_under_any_name_and_either_way_round(way: str, tmp_path: Path) -> None:
    classes(tmp_path, "background", "one")
    for name in ("train", "valid", "test"):
        put(tmp_path / "made", f"{name}/a{name}", block(1))
        for kind in ("images", "masks"):
            folder = tmp_path / way.format(kind=kind, split=name)
            folder.parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "made" / kind / name).rename(folder)
    (tmp_path / "made/images").rmdir()
    (tmp_path / "made/masks").rmdir()
    (tmp_path / "made").rmdir()
    for kind in (None, "segmentation"):
        content = read(tmp_path, faults := Faults(), kind)
        assert not faults.found
        assert (content.format, content.kind) == ("segmentation", "segmentation")
        assert {split: [one.mask_values for one in items] for split, items in content.splits()} == {
            "train": [(0, 1)], "val": [(0, 1)], "test": [(0, 1)]}  # fmt: skip
    said = convert.convert(tmp_path, tmp_path.parent / f"{tmp_path.name}_out", "segmentation")
    assert said.items == {"train": 1, "val": 1, "test": 1}
    again = read(Path(said.target), Faults())
    assert [split for split, _ in again.splits()] == ["train", "val", "test"]


def test_what_lies_beside_the_splits_is_told(tmp_path: Path) -> None:
    classes(tmp_path, "background", "one")
    put(tmp_path, "train/a", block(1))
    put(tmp_path, "more/b", block(1))
    said = [one.sentence() for one in report(tmp_path).faults]
    assert said == [
        "images: more lies beside the splits' folders and is not read",
        "masks: more lies beside the splits' folders and is not read",
    ]


REFUSED = {
    "a JPEG": (Image.fromarray(block(1)), ".jpg", r"a \.jpg file is no mask"),
    "a WebP": (Image.fromarray(block(1)), ".webp", r"a \.webp file is no mask"),
    "colours": (Image.fromarray(block(1)).convert("RGB"), ".png", r"has colours \(RGB\)"),
    "transparency": (Image.fromarray(block(1)).convert("LA"), ".png", r"has colours \(LA\)"),
    "two bytes": (Image.fromarray(block(1).astype(np.uint16)), ".png", r"has colours \(I;16\)"),
    "another size": (Image.fromarray(block(1, 12)), ".png", "the mask is 12 x 12"),
    "no class": (Image.fromarray(block(7)), ".png", "the value 7 is no class; they are 0 to 1"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_check_calls_an_error_stops_every_command(case: str, tmp_path: Path) -> None:
    mask, suffix, sentence = REFUSED[case]
    source = tmp_path / "one"
    classes(source, "background", "thing")
    put(source, "train/a", mask, suffix)
    put(source, "train/b", block(1))
    [only] = told(source)
    with pytest.raises(DataError, match=sentence):
        raise DataError("{told}", told=only)
    for target in ("segmentation", "coco", "yolo", "labelme", "labelstudio"):
        with pytest.raises(DataError, match=sentence):
            convert.convert(source, tmp_path / "two", target)
    with pytest.raises(DataError, match=sentence):
        split(source, 0.5, 0, tmp_path / "two")
    assert not (tmp_path / "two").exists()
    said = convert.convert(source, tmp_path / "two", "coco", leave_out=True)
    assert said.items == {"train": 1}
    assert len(said.left_out) == 1


def png(values: Mask, bits: int) -> bytes:
    """A grey PNG of so many bits a pixel, as Pillow itself never writes one."""
    rows = b"".join(
        b"\0" + np.packbits((row[:, None] >> np.arange(bits)[::-1]) & 1).tobytes() for row in values
    )

    def chunk(name: bytes, data: bytes) -> bytes:
        return (struct.pack(">I", len(data)) + name + data
                + struct.pack(">I", zlib.crc32(name + data)))  # fmt: skip

    head = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], bits, 0, 0, 0, 0)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_grey_values_of_few_bits_are_not_stretched(bits: int, tmp_path: Path) -> None:
    values = np.random.default_rng(bits).integers(0, 2**bits, (5, 7)).astype(np.uint8)
    file = make.write(tmp_path / "m.png", png(values, bits))
    found = read_mask(file, "m.png", Faults())
    assert found is not None
    assert np.array_equal(found, values)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".gif", ".tif"])
def test_of_a_palette_the_number_counts_and_not_the_colour(suffix: str, tmp_path: Path) -> None:
    classes(tmp_path, "background", "red", "white")
    mask = block(2)
    mask[0, 0] = 1
    image = Image.fromarray(mask)
    image.putpalette([0, 0, 0, 255, 0, 0, 255, 255, 255] + [0] * 759)
    put(tmp_path, "train/a", image, suffix)
    content = read(tmp_path, faults := Faults())
    assert not faults.found
    assert np.array_equal(item_mask(content, content.train[0]), mask)


def test_masks_of_0_and_255_for_two_classes_are_an_error(tmp_path: Path) -> None:
    classes(tmp_path, "background", "thing")
    put(tmp_path, "train/a", block(255))
    put(tmp_path, "val/b", block(255))
    [only] = told(tmp_path)
    assert only.startswith("classes.txt: no pixel of any mask has the value 1 (thing), and 14.1% ")
    with pytest.raises(DataError, match="if 255 stands for thing, write 1 in its place"):
        convert.convert(tmp_path, tmp_path.parent / f"{tmp_path.name}_out", "coco")


@pytest.mark.parametrize(("rim", "errors"), [(1, 0), (8, 1)])
def test_ignored_rims_are_right_and_a_large_share_beside_a_missing_class_is_not(
    rim: int, errors: int, tmp_path: Path
) -> None:
    classes(tmp_path, "background", "thing", "rare")
    mask = block(1)
    mask[:rim, :rim] = 255
    put(tmp_path, "train/a", mask)
    said = report(tmp_path)
    assert said.errors == errors
    assert "write 2 in its place" in " ".join(one.sentence() for one in said.faults)


def test_lines_of_classes_that_would_shift_the_values_are_errors(tmp_path: Path) -> None:
    put(tmp_path, "train/a", block(1))
    make.write(tmp_path / "classes.txt", "background\n\none\nbackground\n")
    assert [one for one in told(tmp_path) if "classes.txt" in one] == [
        "classes.txt:2: the line is empty: the values of the masks count lines",
        "classes.txt:4: the class background is named twice",
    ]


def test_255_and_above_are_no_values_of_classes(tmp_path: Path) -> None:
    many = tuple(f"c{number}" for number in range(256))
    item = Item(b"a.png", 40, 30, shapes=[Shape(255, (1, 1, 9, 9))])
    content = Content(tmp_path / "one", "coco", "segmentation", many, [item])
    make.draw(tmp_path / "one/a.png")
    with pytest.raises(DataError, match="for 255 classes; here are 256"):
        convert.write(content, tmp_path / "two", find("segmentation"))
    for label in (255, 300):
        item.shapes = [Shape(label, (1, 1, 9, 9))]
        with pytest.raises(DataError, match=f"The class number {label} of a.png has no value"):
            class_mask(item, 30, 40, offset=0)
    classes(tmp_path / "three", *many)
    put(tmp_path / "three", "train/a", block(1))
    assert "256 classes are named; the values of masks end at 254" in told(tmp_path / "three")[0]


def test_more_classes_than_a_byte_counts_are_told_where_masks_ignore_pixels(tmp_path: Path) -> None:
    classes(tmp_path, *(f"c{number}" for number in range(300)))
    mask = block(1)
    mask[0] = 255
    put(tmp_path, "train/a", mask)
    assert "300 classes are named; the values of masks end at 254" in told(tmp_path)[0]


def ring() -> Mask:
    mask = np.zeros((40, 40), np.uint8)
    mask[5:35, 5:35] = 1
    mask[10:20, 8:18] = 0
    mask[25:30, 20:33] = 0
    mask[12:14, 10:12] = 1
    return mask


def test_holes_stay_holes_in_layouts_of_polygons(tmp_path: Path) -> None:
    shape = Shape(0, rle=mask_rle(ring()))
    item = Item(b"a.png", 40, 40, shapes=[shape])
    content = Content(tmp_path / "one", "coco", "segmentation", ("ring",), [item])
    (tmp_path / "one").mkdir()
    Image.new("RGB", (40, 40)).save(tmp_path / "one/a.png")
    for name in ("yolo", "labelme", "labelstudio"):
        convert.write(content, tmp_path / name, find(name))
        back = read(tmp_path / name, Faults(), "segmentation").train[0]
        painted = np.any([shape_mask(one, 40, 40) for one in back.shapes or []], axis=0)
        assert np.array_equal(painted, ring()), name


@pytest.mark.parametrize("seed", range(40))
def test_any_mask_is_traced_to_the_pixel(seed: int) -> None:
    random = np.random.default_rng(seed)
    high, wide = random.integers(1, 20, 2)
    mask = (random.random((high, wide)) < random.random()).astype(np.uint8)
    outlines = traced(mask)
    painted = shape_mask(Shape(0, outlines=outlines), high, wide) if outlines else mask * 0
    assert np.array_equal(painted, mask)


def test_things_of_one_class_that_do_not_touch_are_shapes_of_their_own(tmp_path: Path) -> None:
    mask = np.zeros((SIZE, SIZE), np.uint8)
    mask[1:4, 1:4] = 1
    mask[4:6, 4:6] = 1  # touches by a corner
    mask[10:14, 10:14] = 1
    mask[1:3, 12:14] = 2
    boxes = [(one.label, one.bounds()) for one in class_shapes(mask)]
    assert boxes == [(1, (1, 1, 6, 6)), (1, (10, 10, 14, 14)), (2, (12, 1, 14, 3))]
    classes(tmp_path / "one", "background", "a", "b")
    put(tmp_path / "one", "train/a", mask)
    convert.convert(tmp_path / "one", tmp_path / "two", "coco")
    back = read(tmp_path / "two", Faults()).train[0]
    assert sorted(one.bounds() for one in back.shapes or []) == sorted(box for _, box in boxes)


def test_pixels_that_nobody_is_asked_about_are_told_where_they_are_lost(tmp_path: Path) -> None:
    mask = block(1)
    mask[0] = 255
    classes(tmp_path / "one", "background", "a")
    put(tmp_path / "one", "train/a", mask)
    for name in ("coco", "yolo", "labelme", "labelstudio"):
        lost = convert.convert(tmp_path / "one", tmp_path / name, name).lost
        assert "pixels that nobody is asked about become background" in lost
    assert not convert.convert(tmp_path / "one", tmp_path / "same", "segmentation").lost
