"""Label Studio: who said what of a picture, where it lies, and what is not read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tandem.data.content import Content, Item, Shape
from tandem.data.faults import Faults
from tandem.data.formats.labelstudio import brush
from tandem.data.inspection.check import report
from tandem.data.masks import mask_rle, rle_mask, shape_mask
from tandem.data.registry import find, read
from tandem.data.writing.convert import convert, write
from tests.data import make

BOX = {"x": 25, "y": 20, "width": 50, "height": 40, "rotation": 0}
"""Per cent: 10 6 30 18 in pixels."""
Json = dict[str, Any]


def region(name: str = "cat", value: Json = BOX, way: str = "rectangle", **more: Any) -> Json:
    labels = f"{way}labels"
    return {"type": labels, "value": value | {labels: [name]}, **more}


def put(root: Path, *tasks: Json, names: str = "abcdef", file: str = "label_studio.json") -> Path:
    """Each task with a picture of its own: a.png, b.png, ..."""
    whole = []
    for name, task in zip(names, tasks, strict=False):
        make.draw(root / "images" / "train" / f"{name}.png", [], ord(name))
        whole.append({"data": {"image": f"images/train/{name}.png"}} | task)
    make.write(root / file, json.dumps(whole))
    return root


def people(*several: Json) -> Json:
    return {"annotations": list(several)}


def said(*results: Json, **more: Any) -> Json:
    return {"result": list(results), **more}


def seen(root: Path) -> dict[str, list[str] | None]:
    """The classes of each picture's shapes; None: nobody has looked."""
    content = read(root, Faults())
    return {Path(one.name).stem: one.shapes and [content.classes[x.label] for x in one.shapes]
            for _, items in content.splits() for one in items}  # fmt: skip


def told(root: Path) -> list[tuple[str, bool]]:
    """What is wrong beside the file's name, and whether it is a warning."""
    return [(one.what(), one.warning) for one in make.faults_of(report(root))]


def test_an_undone_task_is_unlabelled_and_an_empty_annotation_background(tmp_path: Path) -> None:
    cancelled = said(region("dog"), was_cancelled=True)
    put(tmp_path, people(said(region())), {}, people(), people(said()), people(cancelled),
        people(cancelled, said(region())))  # fmt: skip
    assert seen(tmp_path) == {"a": ["cat"], "b": None, "c": None, "d": [], "e": None, "f": ["cat"]}
    assert told(tmp_path) == [("task 5: 2 cancelled (skipped) annotations are left out, this one's "
                               "first", True)]  # fmt: skip


def test_the_difference_survives_a_round_trip_and_a_conversion(tmp_path: Path) -> None:
    put(tmp_path / "one", people(said(region())), {}, people(said()))
    before = seen(tmp_path / "one")
    for format in ("labelstudio", "csv", "labelme"):
        convert(tmp_path / "one", tmp_path / format, format)
        assert seen(tmp_path / format) == before, format


@pytest.mark.parametrize(
    "several",
    [
        (said(region("dog"), created_at="2024-05-01T10:00:00Z"),
         said(region(), created_at="2024-05-01T12:00:00+01:00", id=1)),
        (said(region(), created_at="2024-01-01", updated_at="2024-06-01"),
         said(region("dog"), created_at="2024-05-01")),
        (said(region(), ground_truth=True, created_at="2020-01-01"),
         said(region("dog"), created_at="2024-05-01")),
        (said(region("dog"), id=3), said(region(), id=7)),
        (said(region("dog"), was_cancelled=True, ground_truth=True),
         said(region("dog")), said(region())),
    ],
)  # fmt: skip
def test_of_several_annotators_the_ground_truth_speaks_or_else_the_newest(
    several: tuple[Json, ...], tmp_path: Path
) -> None:
    put(tmp_path, people(*several), people(said(region())))
    assert seen(tmp_path)["a"] == ["cat"]
    assert ("task 1: 1 tasks have several annotations, this one first; the ground truth is read, "
            "or else the newest", True) in told(tmp_path)  # fmt: skip


def test_a_prediction_counts_where_nobody_has_annotated(tmp_path: Path) -> None:
    model = {"predictions": [said(region("dog"), score=0.5)]}
    put(tmp_path, model | people(), model | people(said(region())),
        {"predictions": [said(region("dog"))]})  # fmt: skip
    content = read(tmp_path, Faults())
    shapes = [(one.shapes or [])[0] for one in content.train]
    assert [(content.classes[one.label], one.confidence) for one in shapes] == [
        ("dog", 0.5), ("cat", None), ("dog", None)]  # fmt: skip
    assert told(tmp_path) == [("task 3: 1 tasks have a prediction without a score, this one first; "
                               "it is read as if a person had drawn it", True)]  # fmt: skip


@pytest.mark.parametrize(
    ("degrees", "box"),
    [(90, (-2, 6, 10, 26)), (180, (-10, -6, 10, 6)), (-90, (10, -14, 22, 6)),
     (360, (10, 6, 30, 18))],
)  # fmt: skip
def test_a_box_turned_by_quarters_is_a_box(
    degrees: int, box: tuple[float, ...], tmp_path: Path
) -> None:
    put(tmp_path, people(said(region(value=BOX | {"rotation": degrees}))))
    content, _ = make.read(tmp_path)
    [shape] = content.train[0].shapes or []
    assert not shape.outlines
    assert shape.bounds() == pytest.approx(box, abs=1e-9)


def test_a_turned_box_is_its_outline(tmp_path: Path) -> None:
    put(tmp_path, people(said(region(value=BOX | {"rotation": 30}))))
    content, faults = make.read(tmp_path)
    assert not faults
    [shape] = content.train[0].shapes or []
    cos, sin = np.cos(np.pi / 6), np.sin(np.pi / 6)
    right, down = np.array([20 * cos, 20 * sin]), np.array([-12 * sin, 12 * cos])
    corners = np.array([0 * right, right, right + down, down]) + [10, 6]
    assert shape.outlines[0] == pytest.approx(corners, abs=1e-9)
    assert shape.bounds() == pytest.approx((10 - 6, 6, 10 + 20 * cos, 16 + 12 * cos), abs=1e-9)


def test_an_ellipse_is_its_outline_and_a_brush_its_mask(tmp_path: Path) -> None:
    mask = np.zeros((30, 40), np.uint8)
    mask[3:9, 4:20] = 1
    mask[5:7, 6:9] = 0
    painted = {"format": "rle", "rle": brush.encode(mask)}
    ellipse = {"x": 50, "y": 50, "radiusX": 20, "radiusY": 10, "rotation": 90}
    put(tmp_path, people(said(region(value=ellipse, way="ellipse"),
                              region(value=painted, way="brush"))))  # fmt: skip
    content, faults = make.read(tmp_path)
    assert not faults
    round_one, brushed = content.train[0].shapes or []
    assert round_one.bounds() == pytest.approx((20 - 3, 15 - 8, 20 + 3, 15 + 8), abs=1e-6)
    assert shape_mask(round_one, 30, 40).sum() == pytest.approx(np.pi * 3 * 8, rel=0.05)
    assert brushed.rle is not None
    assert np.array_equal(rle_mask(brushed.rle), mask)


def test_a_brush_is_coded_as_label_studio_s_own_converter_does() -> None:
    mask = np.array([[0, 1], [1, 1]], np.uint8)
    # 16 words of 8 bits, sizes of 3, 4, 8, 16; a run of 4 zeros, one of 12 times 255.
    bits = (
        f"{16:032b}{7:05b}{2:04b}{3:04b}{7:04b}{15:04b}" + f"100{3:03b}{0:08b}101{11:04b}{255:08b}"
    )
    bits += "0" * (-len(bits) % 8)
    assert brush.encode(mask) == [int(bits[n : n + 8], 2) for n in range(0, len(bits), 8)]
    literal = f"{4:032b}{7:05b}{2:04b}{3:04b}{7:04b}{15:04b}000{3:03b}" + f"{9:08b}" * 4 + "00"
    code = [int(literal[n : n + 8], 2) for n in range(0, len(literal) // 8 * 8, 8)]
    assert brush.decode([*code, 0], 1, 1) == 1
    for bad in (None, [], [1], code[:6], [*code[:3], 200, *code[4:]], ["x"], [-1]):
        assert brush.decode(bad, 1, 1) is None


def test_a_hole_survives(tmp_path: Path) -> None:
    mask = np.zeros((30, 40), np.uint8)
    mask[3:29, 4:38] = 1
    mask[5:20, 6:30] = 0
    make.draw(tmp_path / "one" / "a.png")
    item = Item(b"a.png", 40, 30, shapes=[Shape(0, rle=mask_rle(mask))])
    content = Content(tmp_path / "one", "", "detection", ("cat",), [item])
    assert not write(content, tmp_path / "two", find("labelstudio")).lost
    back, _ = make.read(tmp_path / "two")
    [shape] = back.train[0].shapes or []
    assert np.array_equal(shape_mask(shape, 30, 40), mask)


def test_other_controls_are_told_and_spoil_nothing(tmp_path: Path) -> None:
    note = {"type": "textarea", "value": {"text": ["note"]}}
    put(tmp_path, people(said(region(id="r"), note, {"type": "relation", "from_id": "r"},
                              {"type": "choices", "id": "r", "value": {"choices": ["old"]}},
                              {"type": "choices", "value": {"choices": ["day"]}})),
        people(said(note)), people(said({"type": "keypointlabels", "value": {}})))  # fmt: skip
    assert seen(tmp_path) == {"a": ["cat"], "b": [], "c": None}  # a point is no background
    assert all(warning for _, warning in told(tmp_path))
    assert {text.split("type ")[1].split(" ")[0] for text, _ in told(tmp_path)} == {
        "textarea", "relation", "choices", "keypointlabels"}  # fmt: skip


@pytest.mark.parametrize(
    ("results", "sentence"),
    [
        ([region(value=BOX | {"rectanglelabels": ["cat", "dog"]}) | {
            "value": BOX | {"rectanglelabels": ["cat", "dog"]}}],
         "it has several labels, and only one can be read"),
        ([{"type": "rectangle", "id": "q", "value": BOX}], "a result has no class that is known"),
        ([region(value=BOX | {"width": 0})], "the box has no area"),
        ([region(value=BOX | {"x": "left"})], "its box is not four numbers"),
        ([region(image_rotation=90)],
         "the picture was turned in Label Studio: where the region lies is not certain"),
        ([region(value={"format": "rle", "rle": [0, 0, 1]}, way="brush")],
         "its brush is no mask of the picture's size"),
        ([region(value={"x": 5}, way="ellipse")], "its ellipse is not four numbers"),
    ],
)  # fmt: skip
def test_a_region_that_cannot_be_read_is_a_fault_and_no_background(
    results: list[Json], sentence: str, tmp_path: Path
) -> None:
    put(tmp_path, people(said(*results)), people(said(region())))
    assert told(tmp_path) == [(f"task 1: {sentence}", False)]
    assert seen(tmp_path)["a"] is None


def test_a_region_and_its_label_of_one_id_are_one(tmp_path: Path) -> None:
    drawn = {"type": "rectangle", "id": "q", "value": BOX}
    named = [{"type": "labels", "id": key, "value": BOX | {"labels": [name]}}
             for key, name in (("q", "cat"), ("p", "dog"))]  # fmt: skip
    put(tmp_path, people(said(drawn, *named)))
    assert seen(tmp_path) == {"a": ["cat", "dog"]}
    assert report(tmp_path).ok


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("a+b.png", "/data/local-files/?d=images/train/a%2Bb.png"),
        ("a b.png", "/data/local-files/?d=images/train/a+b.png"),
        ("a+b.png", "/data/local-files/?d=images/train/a+b.png"),
        ("c&d#e.png", "/data/local-files/?d=images/train/c&d#e.png"),
        ("x%20y.png", "/data/local-files/?d=images%2Ftrain%2Fx%2520y.png"),
        ("x%20y.png", "images/train/x%20y.png"),
        ("x y.png", "images/train/x%20y.png"),
        ("好 1.png", "https://host:8080/a/b/images/train/%E5%A5%BD%201.png?token=1"),
        ("q.png", "s3://bucket/prefix/q.png"),
        ("q.png", "/data/upload/3/0a1b2c3d-q.png"),
        ("0a1b2c3d-q.png", "/data/upload/3/0a1b2c3d-q.png"),
        ("q.png", "C:\\pictures\\images\\train\\q.png"),
    ],
)
def test_a_image_is_found_by_its_address(name: str, address: str, tmp_path: Path) -> None:
    make.draw(tmp_path / "images" / "train" / name)
    task = {"data": {"image": address}, "annotations": [said(region())]}
    make.write(tmp_path / "label_studio.json", json.dumps([task]))
    content, faults = make.read(tmp_path)
    assert not faults
    assert content.train[0].name == f"images/train/{name}"


def test_any_name_is_written_encoded_once_and_read_back(tmp_path: Path) -> None:
    names = ["50%.png", "a+b.png", "c&d.png", "e#f.png", "g h.png", "q?r.png", "x%20y.png",
             "x y.png", "好 1.png", "a=b;c.png", "\\.png", "q?d=r.png"]  # fmt: skip
    items = []
    for seed, name in enumerate(names):
        make.draw(tmp_path / "one" / name, [], seed)
        items.append(Item(name.encode(), 40, 30, shapes=[]))
    content = Content(tmp_path / "one", "", "detection", ("cat",), items)
    write(content, tmp_path / "two", find("labelstudio"))
    back, faults = make.read(tmp_path / "two")
    assert not faults
    assert sorted(Path(one.name).name for one in back.train) == sorted(names)
    assert "?d=images/train/a%2Bb.png" in (tmp_path / "two" / "label_studio.json").read_text()


def test_other_keys_of_the_data_and_several_images(tmp_path: Path) -> None:
    for name in ("a", "b"):
        make.draw(tmp_path / f"{name}.png", [], ord(name))
    a, b = "/data/upload/1/a.png", "b.png"
    tasks = [
        {"data": {"photo": a, "id": 3, "split": "valid"}, "annotations": [said(region())]},
        {"data": {"left": a, "right": b}, "annotations": [said(region(to_name="right"))]},
        {"data": {"one": a, "two": b}, "annotations": [said(region(to_name="img"))]},
        {"data": {"text": "words"}},
    ]
    make.write(tmp_path / "label_studio.json", json.dumps(tasks))
    content, faults = make.read(tmp_path)
    assert content.val
    assert [one.name for one in (*content.val, *content.train)] == ["a.png", "b.png"]
    assert content.notes == ("label_studio.json: tasks name several pictures; right is read.",)
    assert faults == [
        "label_studio.json: task 3: it has several pictures (one, two), and whose its results are "
        "is not certain",
        "label_studio.json: task 4: its data names no picture (its keys: text)",
    ]


def test_splits_by_the_data_or_by_the_folder(tmp_path: Path) -> None:
    for name in ("train/a", "valid/b", "test/c", "d"):
        make.draw(tmp_path / "images" / f"{name}.png", [], ord(name[-1]))
    tasks = [{"data": {"image": f"/data/local-files/?d=images/{name}.png"}}
             for name in ("train/a", "valid/b", "test/c")]  # fmt: skip
    tasks.append({"data": {"image": "d.png", "split": "odd"}})
    make.write(tmp_path / "label_studio.json", json.dumps(tasks))
    content, faults = make.read(tmp_path)
    assert [(split, len(items)) for split, items in content.splits()] == [
        ("train", 2), ("val", 1), ("test", 1)]  # fmt: skip
    assert faults == ["label_studio.json: task 4: its split odd is none of train, val and test; "
                      "its picture's folder counts"]  # fmt: skip


def test_a_size_that_is_not_the_image_s(tmp_path: Path) -> None:
    put(tmp_path, people(said(region(original_width=80, original_height=60))),
        people(said(region(original_width=30, original_height=40))))  # fmt: skip
    assert told(tmp_path) == [
        ("task 1: it says that images/train/a.png has 80 x 60 pixels, the picture has 40 x 30",
         True),
        ("task 2: it says that images/train/b.png has 30 x 40 pixels, the picture has 40 x 30",
         False),
    ]  # fmt: skip


def test_what_is_in_no_task_or_in_two(tmp_path: Path) -> None:
    put(tmp_path, people(said(region())), names="a")
    make.draw(tmp_path / "images" / "train" / "z.png", [], 9)
    tasks = json.loads((tmp_path / "label_studio.json").read_text())
    make.write(tmp_path / "label_studio.json", json.dumps([*tasks, *tasks, 3]))
    assert told(tmp_path) == [
        ("task 2: its picture images/train/a.png is task 1's", False),
        ("task 3: it has no data", False),
        ("1 pictures are in no task and are left out, such as images/train/z.png", True),
    ]


def test_an_export_by_its_own_name_and_one_that_says_too_little(tmp_path: Path) -> None:
    put(tmp_path / "one", people(said(region())), file="project-1-at-2024-01-31-0a1b2c3d.json")
    assert seen(tmp_path / "one") == {"a": ["cat"]}
    least = [{"image": "a.png", "id": 1, "label": [BOX], "annotator": 1, "annotation_id": 2,
              "lead_time": 3.5}]  # fmt: skip
    make.write(tmp_path / "two" / "project.json", json.dumps(least))
    [only] = report(tmp_path / "two").faults
    assert "is a JSON-MIN export" in only.sentence()


def test_choices_are_the_class_of_a_image(tmp_path: Path) -> None:
    def chosen(*names: str, control: str = "kind") -> Json:
        return {"type": "choices", "from_name": control, "value": {"choices": list(names)}}

    both = said(chosen("cat"), chosen("old", control="age"))
    put(tmp_path, people(both), people(said(chosen("dog"))), people(said(chosen("cat", "dog"))),
        people(said()), {})  # fmt: skip
    content, _ = make.read(tmp_path)
    assert (content.kind, content.classes) == ("classification", ("cat", "dog"))
    assert [one.label for one in content.train] == [0, 1, -1, -1, -1]
    assert told(tmp_path) == [
        ("several controls have choices (age, kind); kind is read", True),
        ("task 3: it has several labels, and only one can be read", False),
    ]


def test_as_a_segmentation_background_is_0(tmp_path: Path) -> None:
    ring = {"points": [[10, 10], [50, 10], [10, 50]]}
    put(tmp_path, people(said(region(value=ring, way="polygon"))))
    content = read(tmp_path, Faults(), "segmentation")
    assert content.classes == ("background", "cat")
    assert [one.label for one in content.train[0].shapes or []] == [1]
