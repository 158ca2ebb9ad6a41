"""Pascal VOC as the world writes it: read as it is meant, or told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tandem.data.content import Content, Item, Shape
from tandem.data.faults import Faults
from tandem.data.inspection.check import report
from tandem.data.registry import find, read, recognise
from tandem.data.writing import convert
from tandem.spec.errors import DataError
from tests.data import make

BOX = "<bndbox><xmin>4</xmin><ymin>5</ymin><xmax>24</xmax><ymax>10</ymax></bndbox>"
NFC, NFD = "\u00e9", "e\u0301"


def xml(objects: str = "", *, name: str = "a.png", size: tuple[int, int] = (40, 30)) -> str:
    head = f"<size><width>{size[0]}</width><height>{size[1]}</height></size>"
    return f"<annotation><filename>{name}</filename>{head}{objects}</annotation>"


def thing(more: str = "", label: str = "cat") -> str:
    return f"<object><name>{label}</name>{BOX}{more}</object>"


def lay(root: Path, stems: list[str], sets: dict[str, str], suffix: str = ".png") -> None:
    for seed, stem in enumerate(stems):
        make.draw(root / "JPEGImages" / f"{stem}{suffix}", [], seed)
        make.write(root / "Annotations" / f"{stem}.xml", xml(thing(), name=f"{stem}{suffix}"))
    for name, text in sets.items():
        make.write(root / "ImageSets/Main" / name, text)


def told(path: Path) -> list[tuple[str, bool]]:
    return [(one.sentence(), one.warning) for one in report(path).faults]


def splits(path: Path) -> dict[str, list[str]]:
    content, _ = make.read(path)
    return {split: [Path(one.name).name for one in items] for split, items in content.splits()}


def test_a_line_of_a_set_is_the_whole_name(tmp_path: Path) -> None:
    stems = ["照片 0", "照片 1", "照片", "two  words -1", "x "]
    path, again = tmp_path / "in", tmp_path / "out"
    lay(path, stems, {"train.txt": "".join(f"{one}\n" for one in stems)})
    assert splits(path) == {"train": [f"{one}.png" for one in stems]}
    assert not told(path)
    convert.convert(path, again, "voc")
    assert splits(again) == {"train": [f"{one}.png" for one in stems]}


def test_a_flag_in_a_set_of_all_is_told_and_one_of_a_class_is_no_name(tmp_path: Path) -> None:
    lay(tmp_path, ["a", "b"], {"train.txt": "a  1\nb\n"})
    assert told(tmp_path)[0] == ("ImageSets/Main/train.txt:1: the picture a  1 is not there", False)
    (tmp_path / "ImageSets/Main/train.txt").unlink()
    make.write(tmp_path / "ImageSets/Main/cat_train.txt", "a  1\n")
    make.write(tmp_path / "ImageSets/Main/cat_val.txt", "b -1\n")
    assert splits(tmp_path) == {"train": ["a.png"], "val": ["b.png"]}


@pytest.mark.parametrize("suffix", [".Png", ".PNG", ".JpG", ".jpeg"])
def test_a_suffix_in_any_case(suffix: str, tmp_path: Path) -> None:
    lay(tmp_path, ["a"], {"train.txt": "a\n"}, suffix)
    assert splits(tmp_path) == {"train": [f"a{suffix}"]}


@pytest.mark.parametrize("line", ["a.png", "sub/b", "sub\\b", "sub\\b.png", f"caf{NFD}"])
def test_a_line_as_others_write_it(line: str, tmp_path: Path) -> None:
    lay(tmp_path, ["a", "sub/b", f"caf{NFC}"], {"train.txt": f"{line}\r\n"})
    content, faults = make.read(tmp_path)
    assert len(content.train) == 1
    assert content.train[0].shapes
    assert all("in no split" in one for one in faults)


def test_sets_by_their_other_names(tmp_path: Path) -> None:
    lay(tmp_path, ["a", "b", "c", "d"], {"trainval.txt": "a\nb\n", "val.txt": "b\n",
                                         "test.txt": "c\n"})  # fmt: skip
    assert splits(tmp_path) == {"train": ["a.png"], "val": ["b.png"], "test": ["c.png"]}
    assert "trainval.txt is read as train" in report(tmp_path).notes[0]
    assert told(tmp_path) == [("JPEGImages/d.png: it is in no split and is not read; so with 1 "
                               "pictures in all", True)]  # fmt: skip
    lay(tmp_path / "cvat", ["a"], {"default.txt": "a\n"})
    assert splits(tmp_path / "cvat") == {"train": ["a.png"]}


@pytest.mark.parametrize("layout", ["{split}", "images/{split}"])
def test_xml_beside_the_images_of_each_split(layout: str, tmp_path: Path) -> None:
    for seed, split in enumerate(("train", "valid", "test")):
        folder = tmp_path / layout.format(split=split)
        make.draw(folder / "a.png", [], seed)
        make.write(folder / "a.xml", xml(thing()))
    assert recognise(tmp_path).name == "voc"
    assert splits(tmp_path) == {"train": ["a.png"], "val": ["a.png"], "test": ["a.png"]}
    assert not told(tmp_path)


@pytest.mark.parametrize(("images", "xmls"), [("", ""), ("images", "annotations"), ("images", "")])
def test_flat_folders(images: str, xmls: str, tmp_path: Path) -> None:
    make.draw(tmp_path / images / "a.png")
    make.draw(tmp_path / images / "b.png", [], 2)
    make.write(tmp_path / (xmls or images) / "a.xml", xml(thing()))
    assert recognise(tmp_path).name == "voc"
    content, faults = make.read(tmp_path)
    assert not faults
    assert [one.shapes is None for one in content.train] == [False, True]


def test_a_turned_box_of_cvat_is_its_four_corners(tmp_path: Path) -> None:
    lay(tmp_path, ["a"], {"train.txt": "a\n"})
    one = "<attribute><name>{}</name><value>{}</value></attribute>"
    turned = f"<attributes>{one.format('rotation', '{}')}{one.format('colour', 'red')}</attributes>"
    make.write(tmp_path / "Annotations/a.xml", xml(thing(turned.format("90.0"))))
    [shape] = read(tmp_path, Faults()).train[0].shapes or []
    assert shape.bounds() == pytest.approx((11.5, 0, 16.5, 17.5))
    assert len(shape.outlines[0]) == 4
    assert shape.attributes == {"colour": "red"}
    make.write(tmp_path / "Annotations/a.xml", xml(thing(turned.format("much"))))
    assert told(tmp_path)[0] == ("Annotations/a.xml: object 1: its rotation is no number", False)
    lone = "<object><name>cat</name><robndbox><cx>9</cx></robndbox></object>"
    make.write(tmp_path / "Annotations/a.xml", xml(lone))
    assert "its box is turned (robndbox)" in told(tmp_path)[0][0]


def test_what_an_object_has_beside_its_box_is_told(tmp_path: Path) -> None:
    lay(tmp_path, ["a", "b"], {"train.txt": "a\nb\n"})
    for stem in "ab":
        make.write(tmp_path / f"Annotations/{stem}.xml",
                   xml(thing("<polygon><x1>4</x1></polygon>"), name=f"{stem}.png"))  # fmt: skip
    assert told(tmp_path) == [("Annotations/a.xml: an object has a polygon beside its box, which "
                               "is not read; so with 2 in all", True)]  # fmt: skip


def test_an_object_that_comes_twice_and_one_over_the_edge(tmp_path: Path) -> None:
    lay(tmp_path, ["a"], {"train.txt": "a\n"})
    over = thing().replace("24", "64")
    make.write(tmp_path / "Annotations/a.xml", xml(thing() + over + thing()))
    assert [warning for _, warning in told(tmp_path)] == [True, True]
    assert told(tmp_path)[0][0] == ("Annotations/a.xml: object 3 is the same as object 1 and is "
                                    "read once")  # fmt: skip
    boxes = [one.box for one in read(tmp_path, Faults()).train[0].shapes or []]
    assert boxes == [(4, 5, 24, 10), (4, 5, 40, 10)]
    outside = thing().replace("<xmin>4", "<xmin>40").replace("24", "64")
    make.write(tmp_path / "Annotations/a.xml", xml(outside))  # its left is the picture's width
    assert told(tmp_path)[0] == ("Annotations/a.xml: object 1: its box lies outside the picture",
                                 False)  # fmt: skip


def test_a_size_that_the_file_states_is_the_images(tmp_path: Path) -> None:
    lay(tmp_path / "in", ["a"], {"train.txt": "a\n"})
    make.write(tmp_path / "in/Annotations/a.xml", xml(thing(), size=(80, 60)))
    sentence = "it says that JPEGImages/a.png has 80 x 60 pixels, the picture has 40 x 30"
    assert told(tmp_path / "in")[0] == (f"Annotations/a.xml: {sentence}", False)
    with pytest.raises(DataError, match="80 x 60"):
        convert.convert(tmp_path / "in", tmp_path / "out", "yolo")


@pytest.mark.parametrize(("declared", "warned"), [(' encoding="gbk"', 0), ("", 1),
                                                  (' encoding="utf-8"', 1)])  # fmt: skip
def test_gbk_is_read(declared: str, warned: int, tmp_path: Path) -> None:
    lay(tmp_path, ["a"], {"train.txt": "a\n"})
    whole = f'<?xml version="1.0"{declared}?>{xml(thing(label="猫狗"))}'
    make.write(tmp_path / "Annotations/a.xml", whole.encode("gbk"))
    assert read(tmp_path, Faults()).classes == ("猫狗",)
    assert [one for one, _ in told(tmp_path)] == [
        "Annotations/a.xml: it is not UTF-8; it was read as GBK"] * warned  # fmt: skip


def test_a_broken_file_makes_no_background(tmp_path: Path) -> None:
    lay(tmp_path / "in", ["a", "b", "c"], {"train.txt": "a\nb\nc\n"})
    make.write(tmp_path / "in/Annotations/a.xml", "<annotation><object>")
    make.write(tmp_path / "in/Annotations/b.xml", "<html></html>")
    assert [one.shapes for one in read(tmp_path / "in", Faults()).train][:2] == [None, None]
    convert.convert(tmp_path / "in", tmp_path / "out", "yolo", leave_out=True)
    content, _ = make.read(tmp_path / "out")
    assert [Path(one.name).name for one in content.train] == ["c.png"]


def test_of_two_images_of_one_stem_the_file_says_which(tmp_path: Path) -> None:
    lay(tmp_path, ["a"], {"train.txt": "a\n"})
    make.draw(tmp_path / "JPEGImages/a.jpg", [], 5)
    labelled = {one.name: one.shapes is not None for one in read(tmp_path, Faults()).train}
    assert labelled == {"JPEGImages/a.jpg": False, "JPEGImages/a.png": True}
    make.write(tmp_path / "Annotations/a.xml", xml(thing(), name="x.png"))
    assert "names none of them" in told(tmp_path)[0][0]
    make.draw(tmp_path / "JPEGImages/b.png", [], 6)
    (tmp_path / "JPEGImages/a.jpg").unlink()
    make.write(tmp_path / "Annotations/a.xml", xml(thing(), name="C:\\x\\b.png"))
    assert "it says that it is of JPEGImages/b.png" in told(tmp_path)[0][0]


def test_a_file_without_an_image_and_masks_are_told(tmp_path: Path) -> None:
    lay(tmp_path, ["a"], {"train.txt": "a\n"})
    make.write(tmp_path / "Annotations/gone.xml", xml())
    make.draw(tmp_path / "SegmentationClass/a.png")
    assert told(tmp_path) == [
        (
            "SegmentationClass: its masks are not read; the boxes are: choose the masks by "
            "--type voc_segmentation",
            True,
        ),
        ("Annotations/gone.xml: there is no picture of this label file", True),
    ]


def test_nobody_has_looked_and_nothing_is_there_stay_apart(tmp_path: Path) -> None:
    for name in ("a", "b"):
        make.draw(tmp_path / f"{name}.png", [], ord(name))
    items = [Item(b"a.png", 40, 30, shapes=[]), Item(b"b.png", 40, 30)]
    content = Content(tmp_path, "", "detection", ("cat/dog", "é 狗"), items)
    assert not convert.write(content, tmp_path / "out", find("voc")).lost
    back, faults = make.read(tmp_path / "out")
    assert not faults
    assert [one.shapes for one in back.train] == [[], None]
    assert back.classes == ("cat/dog", "é 狗")
    for bad in ("\ufffe", "cat\ud800"):
        with pytest.raises(DataError, match="cannot be written"):
            find("voc").make().writer(tmp_path / "bad", (bad,), "detection")


def test_attributes_go_and_come_back(tmp_path: Path) -> None:
    make.draw(tmp_path / "a.png")
    shape = Shape(0, (1.0, 2.0, 3.0, 4.0), attributes={"colour": "red", "difficult": True, "n": 3})
    content = Content(tmp_path, "", "detection", ("cat",), [Item(b"a.png", 40, 30, shapes=[shape])])
    said = convert.write(content, tmp_path / "out", find("voc"))
    assert list(said.lost) == ["attributes are left out: n"]
    [back] = make.read(tmp_path / "out")[0].train[0].shapes or []
    assert back.attributes == {"colour": "red", "difficult": True}
