"""COCO as the world writes it: read as it is meant, or told."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tandem.data.content import Content, Item, Shape
from tandem.data.faults import Faults
from tandem.data.inspection.check import report
from tandem.data.masks import mask_rle
from tandem.data.registry import find, read, recognise
from tandem.data.writing import convert
from tandem.spec.errors import DataError
from tests.data import make

CAT = {"id": 1, "name": "cat"}
Row = dict[str, object]


def row(bbox: list[float] | None = None, **more: object) -> Row:
    return {"id": 1, "image_id": 1, "category_id": 1, "bbox": bbox or [4, 5, 16, 20]} | more


def lay(
    root: Path,
    annotations: list[Row],
    images: list[Row] | None = None,
    categories: list[Row] | None = None,
    *,
    file: str = "annotations/train.json",
    image: str = "images/train/a.png",
) -> None:
    """One picture, 40 x 30, and one file of COCO."""
    make.draw(root / image, [], sum(image.encode()))
    whole = {"images": images or [{"id": 1, "file_name": Path(image).name}],
             "categories": categories or [CAT], "annotations": annotations}  # fmt: skip
    make.write(root / file, json.dumps(whole))


def told(path: Path) -> list[tuple[str, bool]]:
    return [(one.sentence(), one.warning) for one in make.faults_of(report(path))]


def splits(path: Path) -> dict[str, list[str]]:
    content, _ = make.read(path)
    return {split: [one.name for one in items] for split, items in content.splits()}


def shapes(path: Path) -> list[Shape]:
    content = read(path, Faults())
    return content.train[0].shapes or []


@pytest.mark.parametrize("drawn", [[], [[10, 10, 30, 10, 30, 15, 10, 15]]])
def test_a_turned_box_of_cvat_is_its_four_corners(drawn: list[object], tmp_path: Path) -> None:
    lay(tmp_path / "in", [row([10, 10, 20, 5], segmentation=drawn,
                       attributes={"rotation": 90.0, "occluded": False})])  # fmt: skip
    [shape] = shapes(tmp_path / "in")
    assert shape.bounds() == pytest.approx((17.5, 2.5, 22.5, 22.5))
    assert shape.outlines[0].tolist() == pytest.approx(
        np.array([[22.5, 2.5], [22.5, 22.5], [17.5, 22.5], [17.5, 2.5]])
    )
    # Written, it is turned already: nothing may turn it twice.
    assert shape.attributes == {"attributes": {"occluded": False}}
    convert.convert(tmp_path / "in", tmp_path / "again", "coco")
    [again] = shapes(tmp_path / "again")
    assert again.bounds() == pytest.approx((17.5, 2.5, 22.5, 22.5))


def test_turned_clockwise_and_an_outline_that_was_drawn_turned_stays(tmp_path: Path) -> None:
    lay(tmp_path, [row([10, 10, 20, 10], attributes={"rotation": 30})])
    [shape] = shapes(tmp_path)
    right_top = shape.outlines[0][1]
    assert right_top[1] > shape.outlines[0][0][1]  # the right side went down
    lay(tmp_path, [row([10, 10, 20, 10], attributes={"rotation": 30},
                       segmentation=[[12, 9, 28, 20, 15, 22]])])  # fmt: skip
    assert shapes(tmp_path)[0].bounds() == (12, 9, 28, 22)


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"attributes": {"rotation": "left"}}, "its rotation is no number"),
        ({"rotation": 12}, "it is turned, in a way that is not COCO's"),
        ({"theta": 0.5}, "it is turned, in a way that is not COCO's"),
        ({"bbox": [1, 2, 3, 4, 5]}, "its box is not four numbers"),
        ({"segmentation": [[30, 25, 39, 25, 39, 29]], "bbox": [1, 1, 5, 5]}, "lie apart"),
        ({"segmentation": "poly"}, "its polygon is none"),
    ],
)
def test_what_cannot_be_read_for_certain_is_a_fault(
    more: Row, sentence: str, tmp_path: Path
) -> None:
    lay(tmp_path, [row(**more)])
    assert sentence in told(tmp_path)[0][0]
    assert not report(tmp_path).ok
    content = read(tmp_path, Faults())
    assert content.train[0].shapes is None  # and never background


def test_upright_is_upright(tmp_path: Path) -> None:
    lay(tmp_path, [row(attributes={"rotation": 0.0}, rotation=0)])
    [shape] = shapes(tmp_path)
    assert (shape.box, shape.outlines) == ((4, 5, 20, 25), ())


def test_boxes_of_corners_are_told_as_such(tmp_path: Path) -> None:
    one = [row([20, 15, 30, 25])]
    lay(tmp_path, one)
    assert "1 of 1 boxes reach out" in told(tmp_path)[0][0]
    assert report(tmp_path).ok  # it may also be a box over the edge
    lay(tmp_path, [row([20 + n, 15, 36, 28], id=n) for n in range(4)])
    assert told(tmp_path)[0] == (
        "annotations/train.json: 4 of 4 boxes reach out of their pictures, and none would if they "
        "were left, top, right, bottom; COCO's are left, top, width, height", False)  # fmt: skip


def test_a_box_over_the_edge_is_cut_and_told(tmp_path: Path) -> None:
    lay(tmp_path, [row([-4, 5, 60, 10])])
    assert [one.split(": ")[1][:20] for one, _ in told(tmp_path)] == ["the box -4 5 56 15 r"]
    assert shapes(tmp_path)[0].box == (0, 5, 40, 15)


def test_an_annotation_that_comes_twice_is_read_once_and_told(tmp_path: Path) -> None:
    lay(tmp_path, [row(), row(id=2), row(id=3, bbox=[4, 5, 16, 19])])
    assert told(tmp_path) == [("annotations/train.json: annotation 2 is the same as 1 and is read "
                               "once", True)]  # fmt: skip
    assert len(shapes(tmp_path)) == 2


def test_one_image_under_two_ids_is_one(tmp_path: Path) -> None:
    lay(tmp_path, [row(), row([1, 1, 3, 3], id=2, image_id=2)],
        [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "a.png"}])  # fmt: skip
    assert [warning for _, warning in told(tmp_path)] == [True]
    assert "listed again, with the id 2" in told(tmp_path)[0][0]
    assert splits(tmp_path) == {"train": ["images/train/a.png"]}
    assert len(shapes(tmp_path)) == 2


def test_one_id_of_two_images_leaves_both_out(tmp_path: Path) -> None:
    make.draw(tmp_path / "images/train/b.png", [], 3)
    make.draw(tmp_path / "images/train/c.png", [], 4)
    lay(tmp_path, [row(), row(id=2, image_id=3)],
        [{"id": 1, "file_name": "a.png"}, {"id": 1, "file_name": "b.png"},
         {"id": 3, "file_name": "c.png"}])  # fmt: skip
    assert ("annotations/train.json: the image id 1 comes twice", False) in told(tmp_path)
    assert splits(tmp_path) == {"train": ["images/train/c.png"]}


def test_two_categories_of_one_name_are_a_fault_and_one_class(tmp_path: Path) -> None:
    lay(tmp_path, [row(category_id=5)], categories=[CAT, {"id": 5, "name": "cat"}])
    assert told(tmp_path) == [("annotations/train.json: the category cat comes twice, the second "
                               "time as 5", False)]  # fmt: skip
    assert read(tmp_path, Faults()).classes == ("cat",)


def test_other_ids_for_the_same_names_in_another_split_are_those_names(tmp_path: Path) -> None:
    lay(tmp_path, [row()], categories=[CAT, {"id": 2, "name": "dog"}])
    lay(tmp_path, [row(category_id=3)], categories=[{"id": 3, "name": "cat"}],
        file="annotations/val.json", image="images/val/b.png")  # fmt: skip
    assert not told(tmp_path)
    content = read(tmp_path, Faults())
    assert content.classes == ("cat", "dog")
    assert content.val
    assert [one.label for one in content.val[0].shapes or []] == [0]


def test_a_size_that_the_file_states_is_the_images(tmp_path: Path) -> None:
    said = {"id": 1, "file_name": "a.png", "width": 30, "height": 40}
    lay(tmp_path / "in", [row()], [said])
    sentence = "it says that images/train/a.png has 30 x 40 pixels, the picture has 40 x 30"
    assert told(tmp_path / "in")[0] == (f"annotations/train.json: {sentence}", False)
    with pytest.raises(DataError, match="30 x 40"):
        convert.convert(tmp_path / "in", tmp_path / "out", "yolo")


@pytest.mark.parametrize(
    "said",
    ["images\\train\\a.png", "train\\a.png", "C:\\data\\images\\train\\a.png",
     "/srv/li/set/images/train/a.png", "../images/train/a.png", "a.PNG", "./a.png"],
)  # fmt: skip
def test_a_name_as_another_machine_writes_it(said: str, tmp_path: Path) -> None:
    lay(tmp_path, [row()], [{"id": 1, "file_name": said}])
    assert splits(tmp_path) == {"train": ["images/train/a.png"]}
    assert not told(tmp_path)


def test_a_name_in_another_unicode_form(tmp_path: Path) -> None:
    lay(tmp_path, [row()], [{"id": 1, "file_name": "caf\u00e9/e\u0301.png"}],
        image="images/train/cafe\u0301/\u00e9.png")  # fmt: skip
    assert splits(tmp_path) == {"train": ["images/train/cafe\u0301/\u00e9.png"]}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"annotations/instances_default.json": "images/default/a.png"}, {"train"}),
        ({"annotations/instances_default.json": "images/a.png"}, {"train"}),
        ({"annotations/instances_Train.json": "images/Train/a.png",
          "annotations/instances_Validation.json": "images/Validation/b.png",
          "annotations/instances_Test.json": "images/Test/c.png"}, {"train", "val", "test"}),
        ({"annotations/instances_train2017.json": "train2017/a.png",
          "annotations/instances_val2017.json": "val2017/b.png"}, {"train", "val"}),
        ({"train/_annotations.coco.json": "train/a.png",
          "valid/_annotations.coco.json": "valid/b.png",
          "test/_annotations.coco.json": "test/c.png"}, {"train", "val", "test"}),
        ({"result.json": "images/a.png"}, {"train"}),
        ({"annotations/instances_part1.json": "images/a.png",
          "annotations/instances_part2.json": "images/b.png"}, {"train"}),
        ({"annotations/train.json": "images/a.png", "annotations/dev.json": "images/b.png"},
         {"train", "val"}),
    ],
)  # fmt: skip
def test_files_as_others_name_them(
    files: dict[str, str], expected: set[str], tmp_path: Path
) -> None:
    for file, image in files.items():
        lay(tmp_path, [row()], file=file, image=image)
    assert recognise(tmp_path).name == "coco"
    assert not told(tmp_path)
    found = splits(tmp_path)
    assert set(found) == expected
    assert sorted(one for several in found.values() for one in several) == sorted(files.values())


def test_what_lies_beside_the_instances_is_told(tmp_path: Path) -> None:
    lay(tmp_path, [row()], file="annotations/instances_train2017.json", image="train2017/a.png")
    for name in ("person_keypoints_train2017", "captions_val2017", "instances_minival"):
        make.write(tmp_path / f"annotations/{name}.json", "{}")
    make.draw(tmp_path / "val2017/b.png", [], 9)
    make.draw(tmp_path / "train2017/b.png", [], 8)
    assert told(tmp_path) == [
        ("annotations/captions_val2017.json: it holds no instances of COCO and is not read", True),
        ("annotations/person_keypoints_train2017.json: it holds no instances of COCO and is not "
         "read", True),
        ("annotations/instances_minival.json: its name is no split's, and it is not read", True),
        ("train2017/b.png: it is in no split and is not read; so with 1 pictures in all", True),
    ]  # fmt: skip
    for file in tmp_path.glob("annotations/instances_*"):
        file.unlink()
    assert "has no COCO file of instances" in told(tmp_path)[0][0]


def test_roboflows_grouping_category_is_left_out_and_said(tmp_path: Path) -> None:
    group = {"id": 0, "name": "animals", "supercategory": "none"}
    lay(tmp_path, [row()], categories=[group, CAT | {"supercategory": "animals"}])
    said = report(tmp_path)
    assert said.classes == ["cat"]
    assert "only groups the others" in said.notes[0]
    lay(tmp_path, [row(category_id=0)], categories=[group, CAT | {"supercategory": "animals"}])
    assert report(tmp_path).classes == ["animals", "cat"]


def test_an_area_is_the_outlines(tmp_path: Path) -> None:
    triangle = np.array([[10.0, 10.0], [30.0, 10.0], [10.0, 30.0]])
    square = np.array([[0.0, 0.0], [8.0, 0.0], [8.0, 8.0], [0.0, 8.0]])
    ring = np.zeros((30, 40), np.uint8)
    ring[5:15, 5:15], ring[8:12, 8:12] = 1, 0
    bow = np.array([[0.0, 0.0], [8.0, 8.0], [8.0, 0.0], [0.0, 8.0]])
    for shape, area in (
        (Shape(0, (1.0, 2.0, 4.0, 6.0)), 12), (Shape(0, outlines=(triangle,)), 200),
        (Shape(0, outlines=(square, square + 4)), 112), (Shape(0, rle=mask_rle(ring)), 84),
        (Shape(0, outlines=(bow,)), 32),
    ):  # fmt: skip
        make.draw(tmp_path / "a.png")
        item = Item(b"a.png", 40, 30, shapes=[shape])
        target = tmp_path / f"{area}"
        convert.write(Content(tmp_path, "", "detection", ("cat",), [item]), target, find("coco"))
        whole = json.loads((target / "annotations/train.json").read_text())
        assert whole["annotations"][0]["area"] == pytest.approx(area, abs=5 if area == 32 else 0)


def test_run_lengths_that_are_not_compressed_and_parts(tmp_path: Path) -> None:
    runs = {"size": [30, 40], "counts": [30, 60, 30 * 40 - 90]}
    parts = [[1, 1, 9, 1, 9, 9], [20, 20, 30, 20, 30, 29]]
    lay(tmp_path, [row([1, 0, 2, 30], iscrowd=1, segmentation=runs),
                   row([1, 1, 29, 28], id=2, segmentation=parts)])  # fmt: skip
    crowd, two = shapes(tmp_path)
    assert crowd.crowd
    assert crowd.bounds() == (1, 0, 3, 30)
    assert len(two.outlines) == 2


def test_nobody_has_looked_is_not_written_as_background(tmp_path: Path) -> None:
    for name in ("a", "b"):
        make.draw(tmp_path / f"{name}.png", [], ord(name))
    items = [Item(b"a.png", 40, 30, shapes=[]), Item(b"b.png", 40, 30)]
    content = Content(tmp_path, "", "detection", ("cat",), items)
    said = convert.write(content, tmp_path / "out", find("coco"))
    assert said.lost == {"nobody has annotated it; COCO would call it background": 1}
    assert splits(tmp_path / "out") == {"train": ["images/train/a.png"]}
