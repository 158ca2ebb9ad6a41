"""LabelMe, and X-AnyLabeling, as the world writes them: read as it is meant, or told."""

from __future__ import annotations

import base64
import json
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tandem.data.content import Content, Item, Shape
from tandem.data.faults import Faults
from tandem.data.inspection.check import report
from tandem.data.masks import rle_mask
from tandem.data.registry import find, read, recognise
from tandem.data.writing import convert
from tandem.spec.errors import DataError
from tests.data import make

Drawn = dict[str, object]
CORNERS = [[20, 5], [30, 15], [20, 25], [10, 15]]


def shape(points: list[list[float]], shape_type: str = "rectangle", **more: object) -> Drawn:
    return {"label": "cat", "points": points, "shape_type": shape_type} | more


BOX = shape([[4, 5], [24, 10]])


def lay(file: Path, shapes: list[Drawn], *, image: str | None = "a.png", **more: object) -> None:
    """A JSON, and a picture of its name unless it is there."""
    if image is not None and not (file.parent / image).exists():
        make.draw(file.parent / image, [], sum(str(file).encode()))
    told = json.loads(make.labelme_told(image or "", [])) | {"shapes": shapes} | more
    make.write(file, json.dumps(told, ensure_ascii=False))


def told(path: Path) -> list[tuple[str, bool]]:
    return [(one.sentence(), one.warning) for one in report(path).faults]


def shapes(path: Path) -> list[Shape]:
    return read(path, Faults()).train[0].shapes or []


@pytest.mark.parametrize("kind", ["rotation", "oriented_rectangle", "rectangle"])
def test_a_turned_box_is_its_four_corners(kind: str, tmp_path: Path) -> None:
    lay(tmp_path / "a.json", [shape(CORNERS, kind, direction=0.8)])
    [one] = shapes(tmp_path)
    assert one.outlines[0].tolist() == CORNERS
    assert one.bounds() == (10, 5, 30, 25)
    assert one.attributes == {"direction": 0.8}


def test_a_rectangle_of_four_upright_corners_is_a_box(tmp_path: Path) -> None:
    lay(tmp_path / "a.json", [shape([[4, 5], [24, 5], [24, 10], [4, 10]])])
    assert shapes(tmp_path)[0].box == (4, 5, 24, 10)
    lay(tmp_path / "a.json", [shape([[4, 5], [24, 5], [24, 10]])])
    assert told(tmp_path)[0] == ("a.json: shape 1: it has too few points, or too many", False)


def test_circles_and_masks_are_read(tmp_path: Path) -> None:
    mask = np.zeros((6, 11), np.uint8)
    mask[1:3, 2:9] = 1
    raw = BytesIO()
    Image.fromarray(mask).save(raw, "PNG")
    coded = base64.b64encode(raw.getvalue()).decode()
    lay(tmp_path / "a.json", [shape([[20, 15], [20, 20]], "circle"),
                              shape([[35, 26], [45, 31]], "mask", mask=coded)])  # fmt: skip
    circle, part = shapes(tmp_path)
    assert circle.bounds() == (15, 10, 25, 20)
    assert part.rle is not None
    assert np.argwhere(rle_mask(part.rle)).tolist() == [
        [y, x] for y in (27, 28) for x in (37, 38, 39)]  # fmt: skip
    lay(tmp_path / "a.json", [shape([[1, 1], [9, 9]], "mask", mask="no")])
    assert told(tmp_path)[0] == ("a.json: shape 1: its mask is none", False)


def test_polygons_of_one_group_are_one_thing_there_and_back(tmp_path: Path) -> None:
    rings = [[[1, 1], [9, 1], [9, 9]], [[20, 20], [30, 20], [30, 29]]]
    lay(tmp_path / "in/a.json", [shape(ring, "polygon", group_id=1) for ring in rings]
        + [shape(rings[0][::-1], "polygon")])  # fmt: skip
    assert [len(one.outlines) for one in shapes(tmp_path / "in")] == [2, 1]
    make.draw(tmp_path / "b.png")
    outlines = tuple(np.array(ring, np.float64) for ring in rings)
    item = Item(
        b"b.png", 40, 30, shapes=[Shape(0, outlines=outlines), Shape(0, outlines=outlines[:1])]
    )
    content = Content(tmp_path, "", "segmentation", ("cat",), [item])
    assert not convert.write(content, tmp_path / "out", find("labelme")).lost
    back, _ = make.read(tmp_path / "out")
    assert [len(one.outlines) for one in back.train[0].shapes or []] == [2, 1]


def test_a_shape_that_comes_twice_and_one_over_the_edge(tmp_path: Path) -> None:
    lay(tmp_path / "a.json", [BOX, shape([[-4, 5], [60, 10]]), BOX])
    assert [warning for _, warning in told(tmp_path)] == [True, True]
    assert told(tmp_path)[0][0] == "a.json: shape 3 is the same as shape 1 and is read once"
    assert [one.box for one in shapes(tmp_path)] == [(4, 5, 24, 10), (0, 5, 40, 10)]


def test_a_size_that_the_file_states_is_the_images(tmp_path: Path) -> None:
    lay(tmp_path / "in/a.json", [BOX], imageWidth=80, imageHeight=60)
    sentence = "it says that a.png has 80 x 60 pixels, the picture has 40 x 30"
    assert told(tmp_path / "in")[0] == (f"a.json: {sentence}", False)
    with pytest.raises(DataError, match="80 x 60"):
        convert.convert(tmp_path / "in", tmp_path / "out", "yolo")
    lay(tmp_path / "in/a.json", [BOX], imageWidth=None, imageHeight=None)
    assert not told(tmp_path / "in")


@pytest.mark.parametrize(
    ("folder", "split"),
    [("", "train"), ("images", "train"), ("deep/er", "train"), ("valid", "val"), ("TEST", "test"),
     ("images/dev", "val")],
)  # fmt: skip
def test_a_json_beside_its_image_wherever_that_is(folder: str, split: str, tmp_path: Path) -> None:
    lay(tmp_path / folder / "a.json", [BOX])
    assert recognise(tmp_path).name == "labelme"
    content, faults = make.read(tmp_path)
    assert not faults
    assert [name for name, items in content.splits() if items] == [split]
    assert [len(one.shapes or []) for one in dict(content.splits())[split]] == [1]


@pytest.mark.parametrize("said", ["..\\images\\a.png", "../images/a.png"])
def test_a_json_in_a_folder_of_its_own_says_whose_it_is(said: str, tmp_path: Path) -> None:
    make.draw(tmp_path / "images/a.png")
    lay(tmp_path / "labels_json/x.json", [BOX], image=None, imagePath=said)
    assert recognise(tmp_path).name == "labelme"
    assert len(shapes(tmp_path)) == 1
    assert not told(tmp_path)


def test_a_json_that_names_another_image_that_is_there_is_a_fault(tmp_path: Path) -> None:
    make.draw(tmp_path / "b.png", [], 3)
    lay(tmp_path / "a.json", [BOX], imagePath="b.png")
    assert told(tmp_path)[0] == (
        "a.json: it says that it is of b.png, and lies beside a.png",
        False,
    )
    lay(tmp_path / "a.json", [BOX], imagePath="..\\old\\before.png")  # renamed since
    assert not told(tmp_path)


def test_of_two_images_of_one_stem_the_file_says_which(tmp_path: Path) -> None:
    make.draw(tmp_path / "a.jpg", [], 3)
    lay(tmp_path / "a.json", [BOX])
    content, faults = make.read(tmp_path)
    assert not faults
    assert {one.name: one.shapes is not None for one in content.train} == {
        "a.jpg": False, "a.png": True}  # fmt: skip
    lay(tmp_path / "a.json", [BOX], imagePath="c.png")
    assert "names none of them" in told(tmp_path)[0][0]


def test_gbk_is_read_and_told(tmp_path: Path) -> None:
    lay(tmp_path / "train/a.json", [BOX | {"label": "猫狗"}])
    file = tmp_path / "train/a.json"
    file.write_bytes(file.read_text().encode("gbk"))
    assert recognise(tmp_path).name == "labelme"
    assert read(tmp_path, Faults()).classes == ("猫狗",)
    assert told(tmp_path) == [("train/a.json: it is not UTF-8; it was read as GBK", True)]
    file.write_bytes(file.read_bytes().replace("猫狗".encode("gbk"), "mé".encode("latin-1")))
    assert "train/a.json is neither UTF-8 nor GBK" in told(tmp_path)[0][0]


def test_a_name_in_another_unicode_form(tmp_path: Path) -> None:
    make.draw(tmp_path / "e\u0301.png")
    lay(tmp_path / "\u00e9.json", [BOX], image=None)
    assert len(shapes(tmp_path)) == 1


def test_a_faulty_file_makes_no_background(tmp_path: Path) -> None:
    lay(tmp_path / "in/a.json", [shape([[1, 1]])])
    lay(tmp_path / "in/b.json", [], image="b.png")
    lay(tmp_path / "in/c.json", [], image="c.png")
    make.write(tmp_path / "in/c.json", '{"shapes": null}')
    convert.convert(tmp_path / "in", tmp_path / "out", "yolo", leave_out=True)
    content, _ = make.read(tmp_path / "out")
    assert [(Path(one.name).name, one.shapes) for one in content.train] == [("b.png", [])]


def test_what_is_not_read_is_told(tmp_path: Path) -> None:
    lay(tmp_path / "train/a.json", [BOX], flags={"night": True})
    lay(tmp_path / "train/gone.json", [BOX], image=None)
    make.draw(tmp_path / "more/b.png", [], 8)
    make.write(tmp_path / "classes.txt", "dog\n")
    said = report(tmp_path)
    assert [one.sentence() for one in said.faults] == [
        "train/gone.json: there is no picture of this label file",
        "more/b.png: it is in no split and is not read; so with 1 pictures in all",
        "classes.txt: it lacks cat; the classes are in the order of their names",
        *[one.sentence() for one in said.faults[3:]],
    ]
    assert all(one.warning for one in said.faults)
    assert any("have flags too" in one for one in said.notes)
    assert said.classes == ["cat", "dog"]
