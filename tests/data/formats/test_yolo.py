"""YOLO as the world writes it: read as it is meant, or told with file and line."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tandem.data.content import Item, Shape
from tandem.data.images import load_rgb
from tandem.data.inspection.check import report
from tandem.data.reading.folder_listing import FolderListing
from tandem.data.registry import find, recognise
from tandem.data.writing import convert
from tests.data import make

LINE = "0 0.5 0.5 0.4 0.4\n"
NFC, NFD = "\u00e9.png", "e\u0301.png"


def lay(root: Path, labels: dict[str, str | bytes], yaml: str | None = "names: [cat, dog]") -> None:
    """Pictures in images/train with these label files in labels/train."""
    for seed, (stem, text) in enumerate(labels.items()):
        make.draw(root / "images/train" / f"{stem}.png", [], seed)
        make.write(root / "labels/train" / f"{stem}.txt", text)
    if yaml is not None:
        make.write(root / "data.yaml", f"train: images/train\n{yaml}\n")


def told(path: Path) -> list[tuple[str, bool]]:
    return [(one.sentence(), one.warning) for one in make.faults_of(report(path))]


def boxes(path: Path, split: str = "train") -> dict[str, list[tuple[float, ...]] | None]:
    content, _ = make.read(path)
    items = dict(content.splits())[split]
    return {Path(one.name).stem: None if one.shapes is None else
            [tuple(round(side, 3) for side in shape.bounds()) for shape in one.shapes]
            for one in items}  # fmt: skip


@pytest.mark.parametrize(
    ("shape", "points"),
    [("[3, 2]", "0.4 0.4 0.6 0.4 0 0"), ("[2, 3]", "0.4 0.4 2 0.6 0.4 0"), ("[1, 2]", ".3 .3")],
)
def test_a_line_of_a_pose_is_its_box_and_its_keypoints_are_told(
    shape: str, points: str, tmp_path: Path
) -> None:
    line = LINE.strip()
    lay(tmp_path, {"a": f"{line} {points}\n", "b": f"1 .5 .5 .2 .2 {points} 0.75\n{line}\n"},
        f"kpt_shape: {shape}\nnames: [cat, dog]")  # fmt: skip
    assert boxes(tmp_path) == {"a": [(12, 9, 28, 21)], "b": [(16, 12, 24, 18), (12, 9, 28, 21)]}
    assert told(tmp_path) == [("labels/train/a.txt:1: its keypoints are not read, but its box is; "
                               "so with 2 lines in all", True)]  # fmt: skip
    content, _ = make.read(tmp_path)
    assert [one.confidence for one in content.train[1].shapes or []] == [0.75, None]


def test_a_pose_of_another_number_of_keypoints_is_a_fault(tmp_path: Path) -> None:
    lay(tmp_path, {"a": "0 .5 .5 .4 .4 .1 .1 .1 .2\n"}, "kpt_shape: [3, 2]\nnames: [cat, dog]")
    assert told(tmp_path) == [("labels/train/a.txt:1: kpt_shape wants class cx cy w h and 6 "
                               "numbers; here are 9", False)]  # fmt: skip
    lay(tmp_path, {"a": LINE}, "kpt_shape: many\nnames: [cat, dog]")
    assert told(tmp_path)[0][0].startswith("data.yaml: kpt_shape must be")


@pytest.mark.parametrize("places", [7, 9, 11])
def test_a_line_of_odd_length_is_told_and_its_last_number_is_no_confidence(
    places: int, tmp_path: Path
) -> None:
    numbers = np.linspace(0.1, 0.8, places).round(2).tolist()
    lay(tmp_path, {"a": f"{LINE}0 {' '.join(map(str, numbers))}\n"})
    assert told(tmp_path) == [("labels/train/a.txt:2: an outline is class x y x y x y ...; here "
                               f"are {places + 1} numbers", False)]  # fmt: skip


def test_four_corners_stay_an_outline_and_six_numbers_are_a_prediction(tmp_path: Path) -> None:
    lay(tmp_path, {"a": "0 .1 .1 .5 .2 .5 .6 .1 .5\n1 .5 .5 .4 .4 .9\n"})
    content, faults = make.read(tmp_path)
    assert not faults
    outline, box = content.train[0].shapes or []
    assert outline.outlines[0].tolist() == [[4, 3], [20, 6], [20, 18], [4, 15]]
    assert (outline.confidence, box.confidence) == (None, 0.9)
    lay(tmp_path, {"a": "1 .5 .5 .4 .4 1.5\n"})
    assert told(tmp_path)[0][0] == "labels/train/a.txt:1: 1.5 lies outside 0 to 1"


def test_a_line_that_comes_twice_is_read_once_and_told(tmp_path: Path) -> None:
    lay(tmp_path, {"a": f"{LINE}1 0.5 0.5 0.4 0.4\n0 .5 .5 .40 .4\n"})
    assert told(tmp_path) == [
        ("labels/train/a.txt:3: it says the same as line 1 and is read once", True)]  # fmt: skip
    assert len(boxes(tmp_path)["a"] or []) == 2


def test_a_box_over_the_edge_is_told_and_what_is_written_is_read(tmp_path: Path) -> None:
    lay(tmp_path / "in", {"a": "0 0.95 0.5 0.2 0.4\n"})
    assert [one.split(": ")[1][:15] for one, _ in told(tmp_path / "in")] == ["the box 34 9 42"]
    shapes = [Shape(0, (-4.0, 10.0, 90.0, 20.0)), Shape(0, (36.0, 20.0, 60.0, 45.0)),
              Shape(0, (50.0, 1.0, 60.0, 9.0))]  # fmt: skip
    make.draw(tmp_path / "a.png")
    for kind in ("detection", "segmentation"):
        writer = find("yolo").make().writer(tmp_path / kind, ("cat",), kind)
        lost = writer.add(Item(b"a.png", 40, 30, shapes=shapes), "train", tmp_path / "a.png")
        writer.close()
        assert lost == ["a shape of which nothing lies in the picture is left out"]
        assert not told(tmp_path / kind)
        assert boxes(tmp_path / kind)["a"] == [(0, 10, 40, 20), (36, 20, 40, 30)]


def test_a_folder_called_images_within_a_name_loses_no_label(tmp_path: Path) -> None:
    make.draw(tmp_path / "in/images/train/a/images/b.png")
    writer = find("yolo").make().writer(tmp_path / "out", ("cat",), "detection")
    item = Item(b"a/images/b.png", 40, 30, shapes=[Shape(0, (1.0, 2.0, 3.0, 4.0))])
    writer.add(item, "train", tmp_path / "in/images/train/a/images/b.png")
    writer.close()
    assert boxes(tmp_path / "out") == {"b": [(1, 2, 3, 4)]}
    assert not told(tmp_path / "out")


def test_leaving_out_what_is_faulty_makes_no_background(tmp_path: Path) -> None:
    bad = {"half": "0 .5 .5 .4\n", "named": "cat .5 .5 .4 .4\n", "none": "-1 .5 .5 .4 .4\n",
           "latin": "0 \u00e9t\u00e9".encode("latin-1"), "nan": "0 nan .5 .4 .4\n"}  # fmt: skip
    lay(tmp_path / "in", {"good": LINE, "empty": "", **bad})
    said = convert.convert(tmp_path / "in", tmp_path / "out", "yolo", leave_out=True)
    assert len(said.left_out) == len(bad)
    assert boxes(tmp_path / "out") == {"good": [(12, 9, 28, 21)], "empty": []}


@pytest.mark.parametrize("quote", ["", '"'])
def test_words_of_yaml_stay_names(quote: str, tmp_path: Path) -> None:
    words = ["no", "on", "2024-01-01", "007", "12:30", "null", "1e3", "~", "True", "0x1F", "=", "1"]
    listed = "\n".join(f"- {quote}{one}{quote}" for one in words)
    lay(tmp_path, {"a": f"{len(words) - 1} .5 .5 .4 .4\n"}, f"nc: {len(words)}\nnames:\n{listed}")
    content, faults = make.read(tmp_path)
    assert not faults
    assert content.classes == tuple(words)
    numbered = "\n".join(f"  {n}: {quote}{one}{quote}" for n, one in enumerate(words))
    lay(tmp_path, {"a": LINE}, f"names:\n{numbered}")
    assert make.read(tmp_path)[0].classes == tuple(words)


@pytest.mark.parametrize(
    ("yaml", "sentence"),
    [
        ("names:\n  0: cat\n  0: dog", "a key comes twice"),
        ("names: [cat, '']", "a class has no name"),
        ("names: [cat, [dog]]", "a class has no name"),
        ("names: cat.names", "names is neither a list nor numbered names"),
        ("nc: two\nnames: [cat, dog]", "nc is two, but names has 2"),
    ],
)
def test_a_data_yaml_that_says_no_names(yaml: str, sentence: str, tmp_path: Path) -> None:
    lay(tmp_path, {"a": LINE}, yaml)
    assert sentence in told(tmp_path)[0][0]
    assert not report(tmp_path).ok


@pytest.mark.parametrize("folder", ["", "train", "images", "images/train"])
def test_labels_beside_their_images_are_no_captions(folder: str, tmp_path: Path) -> None:
    """As labelImg writes them, with its list of classes."""
    for seed, stem in enumerate("abc"):
        make.draw(tmp_path / folder / f"{stem}.jpg", [], seed)
        make.write(tmp_path / folder / f"{stem}.txt", "1 .5 .5 .4 .4\n" if stem != "c" else "")
    make.write(tmp_path / folder / "classes.txt", "cat\r\ndog\r\n")
    if folder == "images/train":  # nothing but this says it, so deep
        make.write(tmp_path / "data.yaml", "names: [cat, dog]\n")
    assert recognise(tmp_path).name == "yolo"
    content, faults = make.read(tmp_path)
    assert not faults
    assert content.classes == ("cat", "dog")
    assert boxes(tmp_path) == {"a": [(12, 9, 28, 21)], "b": [(12, 9, 28, 21)], "c": []}


def test_texts_beside_images_that_are_no_numbers_are_captions(tmp_path: Path) -> None:
    make.draw(tmp_path / "a.jpg")
    make.write(tmp_path / "a.txt", "5 cats and 3 dogs in 2 rows\n")
    assert recognise(tmp_path).name == "caption"


@pytest.mark.parametrize("said", [True, False])
def test_roboflows_folders(said: bool, tmp_path: Path) -> None:
    root, out = tmp_path / "in", tmp_path / "out"
    for seed, split in enumerate(("train", "valid", "test")):
        make.draw(root / split / "images" / "a.jpg", [], seed)
        make.write(root / split / "labels" / "a.txt", LINE)
    if said:
        make.write(root / "data.yaml", "train: ../train/images\nval: ../valid/images\n"
                   "test: ../test/images\nnc: 1\nnames: ['cat']\n")  # fmt: skip
    assert recognise(root).name == "yolo"
    content, faults = make.read(root)
    assert not faults
    splits = {split: [one.name for one in items] for split, items in content.splits()}
    assert splits == {"train": ["train/images/a.jpg"], "val": ["valid/images/a.jpg"],
                      "test": ["test/images/a.jpg"]}  # fmt: skip
    convert.convert(root, out, "yolo")
    back, faults = make.read(out)
    assert not faults
    assert [split for split, _ in back.splits()] == ["train", "val", "test"]


@pytest.mark.parametrize(
    ("name", "split"), [("Validation", "val"), ("dev", "val"), ("TEST", "test")]
)
def test_splits_by_their_other_names(name: str, split: str, tmp_path: Path) -> None:
    for place in ("train", name):
        make.draw(tmp_path / "images" / place / "a.png", [], len(place))
        make.write(tmp_path / "labels" / place / "a.txt", LINE)
    content, faults = make.read(tmp_path)
    assert not faults
    assert [one for one, _ in content.splits()] == ["train", split]


def test_what_data_yaml_names_and_is_not_there_and_what_it_does_not_name(tmp_path: Path) -> None:
    lay(tmp_path, {"a": LINE}, "val: images/gone\nnames: [cat, dog]")
    make.draw(tmp_path / "images/extra/b.png")
    make.draw(tmp_path / "images/extra/c.png", [], 1)
    make.write(tmp_path / "labels/extra/d.txt", LINE)
    make.write(tmp_path / "labels/train/a.json", "{}")
    assert told(tmp_path) == [
        ("data.yaml: it says images/gone for val, and nothing is there", True),
        ("labels/extra/d.txt: there is no picture of this label file", True),
        ("labels/train/a.json: it is no .txt and is not read; so with 1 files of its folder", True),
        ("images/extra/b.png: it is in no split and is not read; so with 2 pictures in all", True),
    ]


def test_names_in_either_unicode_form_meet_and_two_that_differ_so_are_told(tmp_path: Path) -> None:
    make.draw(tmp_path / "images/train" / NFD)
    make.write(tmp_path / "labels/train" / NFC.replace("png", "TXT"), LINE)
    make.write(tmp_path / "data.yaml", "train: train.txt\nnames: [cat]\n")
    make.write(tmp_path / "train.txt", f"images\\train\\{NFC}\r\n")
    assert list(boxes(tmp_path).values()) == [[(12, 9, 28, 21)]]
    assert not told(tmp_path)
    make.draw(tmp_path / "images/train" / NFC, [], 1)
    make.write(tmp_path / "data.yaml", "train: images/train\nnames: [cat]\n")
    assert any("Unicode form alone" in one for one, _ in told(tmp_path))


def test_names_and_lists_in_gbk_are_read_and_told(tmp_path: Path) -> None:
    lay(tmp_path, {"a": LINE}, None)
    make.write(tmp_path / "classes.txt", "猫\n狗\n".encode("gbk"))
    assert make.read(tmp_path)[0].classes == ("猫", "狗")
    assert told(tmp_path) == [("classes.txt: it is not UTF-8; it was read as GBK", True)]
    make.write(tmp_path / "classes.txt", "médium\n".encode("latin-1"))
    assert "is neither UTF-8 nor GBK" in told(tmp_path)[0][0]


def test_a_class_without_a_name_between_others_is_a_fault(tmp_path: Path) -> None:
    lay(tmp_path, {"a": "2 .5 .5 .4 .4\n"}, None)
    make.write(tmp_path / "classes.txt", "cat\n\ndog\n\n")
    assert told(tmp_path) == [("classes.txt:2: the class has no name", False)]
    assert make.read(tmp_path)[0].classes == ("cat", "", "dog")


def test_pngs_in_labels_are_no_label_files(tmp_path: Path) -> None:
    make.draw(tmp_path / "images/train/a.png")
    Image.new("L", (40, 30)).save(make.write(tmp_path / "labels/train/a.png", ""))
    assert not find("yolo").make().sniff(FolderListing(tmp_path))


XMP = (b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-'
       b'syntax-ns#"><rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" '
       b'tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>')  # fmt: skip


def late(file: Path, name: bytes, data: bytes) -> None:
    """Put a chunk behind a PNG's pixels."""
    raw = file.read_bytes()
    end = raw.index(b"IEND") - 4
    crc = struct.pack(">I", zlib.crc32(name + data))
    file.write_bytes(raw[:end] + struct.pack(">I", len(data)) + name + data + crc + raw[end:])


@pytest.mark.parametrize("name", ["x.jpg", "x.webp", "e.webp", "e.tif", "x.png", "e.png"])
def test_a_turned_image_has_one_size(name: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    file = make.write(tmp_path / "images/train" / name, "")
    image = Image.fromarray(np.zeros((30, 40, 3), np.uint8))
    if file.suffix == ".png":
        image.save(file)
        itxt = b"XML:com.adobe.xmp\0\0\0\0\0" + XMP
        late(file, *((b"iTXt", itxt) if name[0] == "x" else (b"eXIf", exif.tobytes()[6:])))
    else:
        image.save(file, **({"xmp": XMP} if name[0] == "x" else {"exif": exif}))
    make.write(tmp_path / "labels/train/x.txt", LINE)
    make.write(tmp_path / "labels/train/e.txt", LINE)
    content, _ = make.read(tmp_path)
    assert (content.train[0].width, content.train[0].height) == (30, 40)
    assert load_rgb(file, 10**6).shape == (40, 30, 3)
    assert report(tmp_path).ok
