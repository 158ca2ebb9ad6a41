"""What is written is read back without loss, in every layout; what a layout cannot hold is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tandem.data.content import Content, Item, Shape
from tandem.data.masks import item_mask, mask_rle, rle_mask, shape_mask
from tandem.data.registry import find, formats
from tandem.data.writing import convert
from tandem.data.writing.files import placed
from tandem.spec.errors import DataError, OutputFolderError
from tests.data import make

RING = np.array([[1.25, 2.5], [30.123456789, 3.0], [11.0, 28.75]])
OUTER = (np.array([[1.0, 1.0], [9.0, 1.0], [9.0, 9.0]]), np.array([[20.0, 20.0], [30.0, 20.0],
         [30.0, 29.0]]))  # fmt: skip


def predicted(root: Path, shapes: list[Shape], kind: str, classes: tuple[str, ...]) -> Content:
    """One picture with what a model said of it."""
    make.draw(root / "images" / "train" / "a.png")
    item = Item(b"images/train/a.png", 40, 30, shapes=shapes)
    return Content(root, "", kind, classes, [item])


@pytest.mark.parametrize("name", sorted(make.ALL))
def test_a_layout_becomes_itself(name: str, tmp_path: Path) -> None:
    make.ALL[name](tmp_path / "one")
    said = convert.convert(tmp_path / "one", tmp_path / "two", name)
    assert not said.lost
    assert not said.left_out
    one, _ = make.read(tmp_path / "one")
    two, faults = make.read(tmp_path / "two")
    assert not faults
    assert (two.format, two.kind, two.classes) == (one.format, one.kind, one.classes)
    for before, after in zip(one.splits(), two.splits(), strict=True):
        assert before[0] == after[0]
        by_name = {_key(item): item for item in after[1]}
        for item in before[1]:
            other = by_name[_key(item)]
            assert (item.label, item.text, item.text_b) == (other.label, other.text, other.text_b)
            assert len(item.frames) == len(other.frames)
            assert item.attributes == other.attributes
    if name in make.BOXES:
        assert make.boxes_of(two) == make.TRUTH
    if name == "segmentation":
        pairs = zip(one.train, two.train, strict=True)
        assert all(np.array_equal(item_mask(one, a), item_mask(two, b)) for a, b in pairs)
    left = [file.name for file in (tmp_path / "two").rglob("*") if file.name[0] == "."]
    assert not left


def _key(item: Item) -> str:
    return placed(item) if not item.line else f"{item.text}"


@pytest.mark.parametrize("source", make.BOXES)
@pytest.mark.parametrize("target", make.BOXES)
def test_boxes_go_from_any_layout_to_any_other(source: str, target: str, tmp_path: Path) -> None:
    make.ALL[source](tmp_path / "one")
    convert.convert(tmp_path / "one", tmp_path / "two", target, "detection")
    content, faults = make.read(tmp_path / "two")
    assert not faults
    assert content.classes == make.CLASSES
    assert make.boxes_of(content) == make.TRUTH


@pytest.mark.parametrize("name", make.BOXES)
def test_a_predicted_box_keeps_its_confidence_and_its_place(name: str, tmp_path: Path) -> None:
    box = (1.0 / 3, 2.0 / 7, 31.123456789, 29.87654321)
    content = predicted(
        tmp_path / "one",
        [Shape(1, box, confidence=0.123456789012), Shape(0, (3.0, 4.0, 5.0, 6.0), confidence=1.0)],
        "detection",
        ("cat", 'dog "quoted", ü, 狗'),
    )
    said = convert.write(content, tmp_path / "two", find(name))
    assert not said.lost
    back, faults = make.read(tmp_path / "two")
    assert not faults
    assert back.classes == content.classes
    first, second = back.train[0].shapes or []
    assert (first.label, second.label) == (1, 0)
    assert first.bounds() == pytest.approx(box, abs=1e-6)
    assert first.confidence == pytest.approx(0.123456789012, abs=1e-9)
    assert second.confidence == 1.0


@pytest.mark.parametrize("name", ["coco", "labelme", "labelstudio", "yolo"])
def test_outlines_keep_their_corners(name: str, tmp_path: Path) -> None:
    content = predicted(
        tmp_path / "one", [Shape(1, outlines=(RING,), confidence=0.5)], "segmentation",
        ("background", "cat"),
    )  # fmt: skip
    lost = convert.write(content, tmp_path / "two", find(name)).lost
    assert list(lost) == ["confidences of outlines are left out"] * (name == "yolo")
    back, faults = make.read(tmp_path / "two", "segmentation")
    assert not faults
    assert back.classes == ("background", "cat")
    [shape] = back.train[0].shapes or []
    assert shape.label == 1
    assert shape.confidence == (None if lost else 0.5)
    assert shape.outlines[0] == pytest.approx(RING, abs=1e-6)


def test_coco_keeps_run_lengths_crowds_several_parts_and_attributes(tmp_path: Path) -> None:
    mask = np.zeros((30, 40), np.uint8)
    mask[3:9, 4:20] = 1
    mask[5, 6] = 0
    content = predicted(
        tmp_path / "one",
        [Shape(0, rle=mask_rle(mask), crowd=True), Shape(0, outlines=OUTER),
         Shape(0, (1.0, 2.0, 3.0, 4.0), attributes={"difficult": True})],
        "detection", ("cat",),
    )  # fmt: skip
    assert not convert.write(content, tmp_path / "two", find("coco")).lost
    back, _ = make.read(tmp_path / "two")
    crowd, parts, hard = back.train[0].shapes or []
    assert crowd.crowd
    assert crowd.rle is not None
    assert np.array_equal(rle_mask(crowd.rle), mask)
    assert [one.tolist() for one in parts.outlines] == [one.tolist() for one in OUTER]
    assert hard.attributes == {"difficult": True}


@pytest.mark.parametrize(
    ("name", "kind", "lost"),
    [
        ("yolo", "detection", {"a crowd is left out", "outlines become boxes",
                               "attributes are left out: difficult"}),
        ("voc", "detection", {"a crowd is left out", "outlines become boxes"}),
        ("csv", "detection", {"a crowd is left out", "outlines become boxes",
                              "attributes are left out: difficult"}),
        ("labelme", "detection", {"a crowd is left out"}),
        ("segmentation", "segmentation", {"shapes of one class that touch become one",
                                          "a crowd becomes pixels that nobody is asked about",
                                          "where shapes lie over each other, the smaller one alone "
                                          "is kept",
                                          "confidences are left out",
                                          "attributes are left out: difficult"}),
    ],
)  # fmt: skip
def test_what_a_layout_cannot_hold_is_told(
    name: str, kind: str, lost: set[str], tmp_path: Path
) -> None:
    content = predicted(
        tmp_path / "one",
        [Shape(0, (1.0, 1.0, 5.0, 5.0), crowd=True), Shape(0, outlines=(RING,), confidence=0.5),
         Shape(0, (1.0, 2.0, 3.0, 4.0), attributes={"difficult": True})],
        kind, ("cat",),
    )  # fmt: skip
    said = convert.write(content, tmp_path / "two", find(name))
    assert set(said.lost) == lost
    assert set(said.lost.values()) == {1}


@pytest.mark.parametrize("name", ["coco", "labelme", "labelstudio", "yolo"])
def test_masks_become_shapes_and_shapes_the_same_masks(name: str, tmp_path: Path) -> None:
    make.segmentation(tmp_path / "one")
    said = convert.convert(tmp_path / "one", tmp_path / "two", name)
    assert "pixels that nobody is asked about become background" in said.lost
    convert.convert(tmp_path / "two", tmp_path / "three", "segmentation", "segmentation")
    one, _ = make.read(tmp_path / "one")
    three, faults = make.read(tmp_path / "three")
    assert not faults
    assert three.classes == one.classes
    by_name = {_stem(item): item for item in three.train}
    for item in one.train:
        mask = item_mask(one, item)
        mask[mask == 255] = 0
        assert np.array_equal(item_mask(three, by_name[_stem(item)]), mask)


def _stem(item: Item) -> str:
    return Path(item.name).stem


def test_a_mask_of_many_parts_is_traced_to_the_pixel() -> None:
    mask = (np.random.default_rng(0).random((30, 40)) < 0.4).astype(np.uint8)
    mask[:, :5] = 0
    from tandem.data.masks import traced

    whole = Shape(0, outlines=traced(mask))
    # A hole is a polygon of its own that is lost: nothing outside it may change.
    painted = shape_mask(whole, 30, 40)
    assert (painted >= mask).all()
    solid = np.zeros_like(mask)
    solid[3:20, 7:31] = 1
    solid[10:25, 20:39] = 1
    assert np.array_equal(shape_mask(Shape(0, outlines=traced(solid)), 30, 40), solid)


def test_polygons_stay_polygons_where_the_target_can_hold_them(tmp_path: Path) -> None:
    make.yolo_polygons(tmp_path / "one")
    said = convert.convert(tmp_path / "one", tmp_path / "two", "coco")
    assert said.kind == "segmentation"
    back, _ = make.read(tmp_path / "two", "segmentation")
    [cat, _] = back.train[0].shapes or []
    assert cat.outlines[0].tolist() == pytest.approx(np.array(make.TRIANGLE), abs=1e-6)


def test_two_splits_with_one_name_stay_two_images(tmp_path: Path) -> None:
    """train/cat/0.png and val/cat/0.png are different pictures wherever they go."""
    for number, split in enumerate(("train", "val")):
        for name in ("cat", "dog"):
            make.draw(tmp_path / "one" / split / name / "0.png", [], number)
            make.draw(tmp_path / "one" / split / name / "0.jpg", [], number)
    for target in ("labelme", "csv", "classification"):
        convert.convert(tmp_path / "one", tmp_path / target, target)
        content, faults = make.read(tmp_path / target)
        assert not faults
        assert (len(content.train), len(content.val or [])) == (4, 4)


def test_images_that_differ_in_their_suffix_alone_keep_their_own_labels(tmp_path: Path) -> None:
    """Labels go by the name without it: who comes second is written under a name of its own."""
    for name in ("a.png", "a.jpg"):
        make.draw(tmp_path / "one" / name)
    for name in make.BOXES:
        writer = find(name).make().writer(tmp_path / name, ("cat",), "detection")
        for place, file in enumerate(("a.png", "a.jpg"), 1):
            shape = Shape(0, (0.0, 0.0, float(place), 9.0))
            item = Item(file.encode(), 40, 30, shapes=[shape])
            item.written_as = f"a{place}{Path(file).suffix}".encode()
            writer.add(item, "train", tmp_path / "one" / file)
        writer.close()
        content, _ = make.read(tmp_path / name)
        boxes = [(item.shapes or [])[0].bounds()[2] for item in content.train]
        assert sorted(boxes) == pytest.approx([1, 2])


def test_voc_is_flat_and_loses_no_image_for_it(tmp_path: Path) -> None:
    make.yolo(tmp_path / "one")
    make.draw(tmp_path / "one/images/train/deep/a.png", [], 7)
    make.draw(tmp_path / "one/images/val/a.png", [], 8)
    convert.convert(tmp_path / "one", tmp_path / "two", "voc")
    content, faults = make.read(tmp_path / "two")
    assert not faults
    assert (len(content.train), len(content.val or [])) == (3, 2)
    digests = {file.read_bytes() for file in (tmp_path / "two/JPEGImages").iterdir()}
    assert len(digests) == 5


def test_a_writer_opened_again_goes_on(tmp_path: Path) -> None:
    """As an annotation job that was killed does."""
    make.yolo(tmp_path / "one")
    content, _ = make.read(tmp_path / "one")
    for name, entry in formats().items():
        if "detection" not in entry.kinds:
            continue
        target = tmp_path / name
        for item in (content.train[0], content.train[1], content.train[0]):
            writer = entry.make().writer(target, content.classes, "detection")
            writer.add(item, "train", content.path(item))
        writer.close()
        writer.close()
        back, faults = make.read(target)
        assert not faults
        assert len(back.train) == 2
        assert sorted(len(one.shapes or []) for one in back.train) == [0, 2]


@pytest.mark.parametrize("bad", ["../up", "a/b", "..", ".hidden", "a\\b"])
def test_a_class_that_is_no_folder_name_is_written_where_none_is_made_of_it(
    bad: str, tmp_path: Path
) -> None:
    make.draw(tmp_path / "one" / "a.png")
    content = Content(tmp_path / "one", "", "classification", ("cat", bad),
                      [Item(b"a.png", 40, 30, label=1)])  # fmt: skip
    with pytest.raises(DataError, match="no name that a folder could have"):
        convert.write(content, tmp_path / "two", find("classification"))
    assert [one.name for one in tmp_path.iterdir()] == ["one"]
    convert.write(content, tmp_path / "two", find("labelme"))
    back, told = make.read(tmp_path / "two", "classification")
    assert not told
    assert back.classes[back.train[0].label] == bad


@pytest.mark.parametrize("bad", ["", "line\nbreak", " space", "line\u2028break"])
def test_a_class_that_would_not_stay_a_line_is_written_nowhere(bad: str, tmp_path: Path) -> None:
    make.draw(tmp_path / "one" / "a.png")
    content = Content(tmp_path / "one", "", "classification", ("cat", bad),
                      [Item(b"a.png", 40, 30, label=1)])  # fmt: skip
    for name in ("classification", "labelme"):
        with pytest.raises(DataError, match="does not fit into one line"):
            convert.write(content, tmp_path / "two", find(name))
    assert [one.name for one in tmp_path.iterdir()] == ["one"]


def test_what_is_faulty_is_refused_or_left_out_and_told(tmp_path: Path) -> None:
    make.yolo(tmp_path / "one")
    file = tmp_path / "one/labels/train/a.txt"
    file.write_text(file.read_text() + "7 0.5 0.5 0.1 0.1\n")
    with pytest.raises(DataError, match=r"a\.txt:3: there is no class 7"):
        convert.convert(tmp_path / "one", tmp_path / "two", "coco")
    assert not (tmp_path / "two").exists()
    said = convert.convert(tmp_path / "one", tmp_path / "two", "coco", leave_out=True)
    assert len(said.left_out) == 1
    assert "a.txt:3" in said.left_out[0]
    assert make.boxes_of(make.read(tmp_path / "two")[0]) == make.TRUTH


def test_a_target_in_use_is_refused_and_nothing_is_left_behind(tmp_path: Path) -> None:
    make.yolo(tmp_path / "one")
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "mine").touch()
    with pytest.raises(OutputFolderError, match="not empty"):
        convert.convert(tmp_path / "one", tmp_path / "two", "coco")
    with pytest.raises(OutputFolderError, match="within the data set"):
        convert.convert(tmp_path / "one", tmp_path / "one" / "deep", "coco")
    (tmp_path / "one/images/train/a.png").write_bytes(b"")
    with pytest.raises(DataError):
        convert.convert(tmp_path / "one", tmp_path / "three", "coco")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["one", "two"]


def test_a_kind_that_the_target_lacks_is_refused(tmp_path: Path) -> None:
    make.text(tmp_path / "one")
    with pytest.raises(DataError, match="coco cannot hold text"):
        convert.convert(tmp_path / "one", tmp_path / "two", "coco")
    with pytest.raises(DataError, match="no data format 'cocco'"):
        convert.convert(tmp_path / "one", tmp_path / "two", "cocco")


def test_images_are_the_same_bytes(tmp_path: Path) -> None:
    make.voc(tmp_path / "one")
    convert.convert(tmp_path / "one", tmp_path / "two", "yolo")
    one = (tmp_path / "one/JPEGImages/空 b.PNG").read_bytes()
    assert (tmp_path / "two/images/train/空 b.PNG").read_bytes() == one
    with Image.open(tmp_path / "two/images/val/c.jpg") as image:
        assert image.size == (40, 30)


def test_images_of_two_classes_that_differ_in_their_suffix_alone_keep_their_own(
    tmp_path: Path,
) -> None:
    for seed, name in enumerate(("a.png", "a.Png")):
        make.draw(tmp_path / "one" / name, [], seed)
    items = [Item(b"a.png", 40, 30, 0), Item(b"a.Png", 40, 30, 1)]
    content = Content(tmp_path / "one", "", "classification", ("cat", "dog"), items)
    convert.write(content, tmp_path / "two", find("labelme"))
    back, _ = make.read(tmp_path / "two")
    assert sorted(back.classes[one.label] for one in back.train) == ["cat", "dog"]
