"""What was found by trying other inputs of the known kinds: nothing is lost or turned unsaid."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote
from zipfile import ZipFile, ZipInfo

import numpy as np
import pytest
from PIL import Image

from tandem.data.content import Content
from tandem.data.faults import Faults
from tandem.data.inspection.check import report
from tandem.data.reading.encodings import decoded
from tandem.data.registry import read
from tandem.data.writing.convert import convert
from tandem.data.zip_file import ZipArchive
from tandem.spec.errors import DataError


def _image(file: Path, width: int = 40, height: int = 30) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(len(str(file))).integers(0, 255, (height, width, 3))
    Image.fromarray(pixels.astype(np.uint8)).save(file)
    return file


def _write(file: Path, text: str, encoding: str = "utf-8") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding=encoding)


def _coco(root: Path, rows: list[dict[str, object]], names: tuple[str, ...]) -> Path:
    images = [
        {"id": number, "file_name": name, "width": 40, "height": 30}
        for number, name in enumerate(names)
    ]
    for name in names:
        _image(root / "images" / "train" / name)
    told = [{"id": number, "category_id": 1, **row} for number, row in enumerate(rows, 1)]
    whole = {"images": images, "annotations": told, "categories": [{"id": 1, "name": "cat"}]}
    _write(root / "annotations" / "train.json", json.dumps(whole))
    return root


def _yolo(root: Path, split: str = "train", label: str = "0 .5 .5 .2 .2\n") -> Path:
    _image(root / "images" / split / "a.png")
    _write(root / "labels" / split / "a.txt", label)
    _write(root / "data.yaml", f"{split}: images/{split}\nnames: [cat]\n")
    return root


def _sizes(content: Content) -> dict[str, int]:
    return {split: len(items) for split, items in content.splits() if items}


def test_of_a_set_that_is_faulty_throughout_nothing_is_written(tmp_path: Path) -> None:
    source = _yolo(tmp_path / "one", label="0 5 5 1 1\n")
    with pytest.raises(DataError, match="Nothing is left of"):
        convert(source, tmp_path / "two", "coco", leave_out=True)
    assert not (tmp_path / "two").exists()


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_yolo_keeps_the_only_split(tmp_path: Path, split: str) -> None:
    convert(_yolo(tmp_path / "one", split), tmp_path / "two", "yolo")
    assert _sizes(read(tmp_path / "two", Faults())) == {split: 1}


@pytest.mark.parametrize("to", ["yolo", "voc", "labelme", "csv", "labelstudio"])
def test_an_image_of_a_crowd_is_no_background(tmp_path: Path, to: str) -> None:
    box = {"bbox": [1, 1, 5, 5], "area": 25}
    source = _coco(tmp_path / "one", [{"image_id": 0, "iscrowd": 1, **box},
                                      {"image_id": 1, "iscrowd": 0, **box}],
                   ("a.png", "b.png"))  # fmt: skip
    said = convert(source, tmp_path / "two", to)
    assert said.lost["a crowd is left out"] == 1
    items = read(tmp_path / "two", Faults()).train
    assert [len(one.shapes) for one in items if one.shapes is not None] == [1]


def test_masks_that_may_hold_a_class_as_255_are_left_out(tmp_path: Path) -> None:
    root = tmp_path / "one"
    _write(root / "classes.txt", "background\ncat\ndog\n")
    for name, value in (("a", 255), ("b", 1)):
        _image(root / "images" / "train" / f"{name}.png")
        mask = np.zeros((30, 40), np.uint8)
        mask[:20] = value
        (root / "masks" / "train").mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask).save(root / "masks" / "train" / f"{name}.png")
    assert not report(root).ok
    convert(root, tmp_path / "two", "coco", leave_out=True)
    assert [one.name for one in read(tmp_path / "two", Faults()).train] == ["images/train/b.png"]


def test_a_shape_without_a_pixel_is_lost_and_told(tmp_path: Path) -> None:
    """Seven points on one line: a pose, read as an outline."""
    source = _yolo(tmp_path / "one", label="0 .5 .5 .4 .4 .4 .4 .6 .6\n")
    said = convert(source, tmp_path / "two", "segmentation")
    assert said.lost == {"a shape that the centre of no pixel lies in is left out": 1}
    assert read(tmp_path / "two", Faults()).train[0].mask is None


def test_classes_of_masks_in_gbk(tmp_path: Path) -> None:
    _write(tmp_path / "classes.txt", "背景\n猫\n狗狗\n", "gbk")
    _image(tmp_path / "images" / "train" / "a.png")
    (tmp_path / "masks" / "train").mkdir(parents=True)
    Image.fromarray(np.eye(30, 40, dtype=np.uint8)).save(tmp_path / "masks" / "train" / "a.png")
    said = report(tmp_path)
    assert said.ok
    assert said.classes == ["背景", "猫", "狗狗"]
    assert "classes.txt: it is not UTF-8; it was read as GBK" in [
        one.sentence() for one in said.faults
    ]


def test_an_image_without_a_label_file_is_told(tmp_path: Path) -> None:
    _image(_yolo(tmp_path) / "images" / "train" / "b.png")
    assert any(one.startswith("1 pictures have no label file, such as images/train/b.png")
               for one in report(tmp_path).notes)  # fmt: skip


def test_an_image_that_no_row_names_is_told(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        _image(tmp_path / "images" / "train" / name)
    _write(tmp_path / "labels.csv", "file,label\na.png,cat\n")
    assert any(one.file == "images/train/b.png" for one in report(tmp_path).faults)


def _labelme(root: Path, shape_type: str) -> None:
    _image(root / "train" / "a.png")
    shape = {"label": "cat", "points": [[3, 3], [9, 9]][: 1 if shape_type == "point" else 2],
             "shape_type": shape_type}  # fmt: skip
    told: dict[str, object] = {"version": "5", "flags": {}, "shapes": [shape], "imagePath": "a.png",
            "imageData": None, "imageWidth": 40, "imageHeight": 30}  # fmt: skip
    _write(root / "train" / "a.json", json.dumps(told))


@pytest.mark.parametrize("shape_type", ["point", "line"])
def test_points_are_no_background_in_labelme(tmp_path: Path, shape_type: str) -> None:
    _labelme(tmp_path, shape_type)
    faults = Faults()
    assert read(tmp_path, faults, "detection").train[0].shapes is None
    assert faults.warnings == 1


def _tasks(root: Path, tasks: list[dict[str, object]]) -> None:
    whole = []
    for number, task in enumerate(tasks):
        _image(root / "images" / "train" / f"{number}.png")
        image = f"/data/local-files/?d=images/train/{number}.png"
        whole.append({"data": {"image": image}, **task})
    _write(root / "label_studio.json", json.dumps(whole))


PLACE = {"x": 5, "y": 5, "width": 20, "height": 20}
BOX = {"id": "r", "type": "rectanglelabels", "original_width": 40, "original_height": 30}
POINT = BOX | {"type": "keypointlabels", "value": PLACE | {"keypointlabels": ["cat"]}}
BOX |= {"value": PLACE | {"rectanglelabels": ["cat"]}}


def test_points_are_no_background_in_label_studio(tmp_path: Path) -> None:
    _tasks(tmp_path, [{"annotations": [{"result": [one]}]} for one in (BOX, POINT)])
    boxed, pointed = read(tmp_path, Faults(), "detection").train
    assert len(boxed.shapes or []) == 1
    assert pointed.shapes is None


def test_predictions_in_place_of_annotations_are_told(tmp_path: Path) -> None:
    _tasks(tmp_path, [{"annotations": [{"result": [BOX]}]},
                      {"predictions": [{"score": 0.5, "result": [BOX]}]}])  # fmt: skip
    content = read(tmp_path, Faults(), "detection")
    shapes = content.train[1].shapes
    assert shapes is not None
    assert shapes[0].confidence == 0.5
    assert content.notes == (
        "label_studio.json: 1 tasks have no annotation, task 2 first; their predictions are read.",
    )


def test_classes_beside_tables_of_texts_are_told(tmp_path: Path) -> None:
    _write(tmp_path / "train.csv", "text,label\na,0\nb,1\n")
    _write(tmp_path / "classes.txt", "bad\ngood\n")
    assert [one.file for one in report(tmp_path).faults] == ["classes.txt"]


def test_a_missing_file_of_several_is_told(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pytest.importorskip("pyarrow").table({"text": ["a", "b"], "label": [0, 1]})
    parquet.write_table(table, tmp_path / "train-00000-of-00002.parquet")
    (fault,) = report(tmp_path).faults
    assert "train-00001-of-00002.parquet is not there" in fault.what()
    parquet.write_table(table, tmp_path / "train-00001-of-00002.parquet")
    assert report(tmp_path).ok


def test_classes_of_one_look_are_told(tmp_path: Path) -> None:
    for name in ("caf\u00e9", "cafe\u0301", "dog"):
        _image(tmp_path / "train" / name / f"{name}.png")
    assert "classes" in [one.file for one in report(tmp_path).faults]


def test_more_classes_than_a_mask_holds_are_told(tmp_path: Path) -> None:
    _yolo(tmp_path, label="0 .1 .1 .9 .1 .9 .9\n")
    names = "".join(f"  {number}: c{number}\n" for number in range(255))
    _write(tmp_path / "data.yaml", f"train: images/train\nnames:\n{names}")
    assert report(tmp_path, "segmentation").faults[0].fields["count"] == 256
    assert all(one.file != "classes" for one in report(tmp_path, "detection").faults)


def test_a_row_of_captions_without_its_image_has_its_line(tmp_path: Path) -> None:
    _image(tmp_path / "train" / "a.png")
    _write(tmp_path / "train" / "metadata.csv", "file_name,text\na.png,x\nb.png,y\n")
    assert [one.sentence() for one in report(tmp_path).faults] == [
        "train/metadata.csv:3: the picture b.png is not there"
    ]


def test_label_files_beside_images_are_no_clips(tmp_path: Path) -> None:
    _image(tmp_path / "data" / "obj" / "a.png")
    _write(tmp_path / "data" / "obj" / "a.txt", "1 .5 .5 .2 .2\n")
    _write(tmp_path / "obj.names", "cat\ndog\n")
    _write(tmp_path / "train.txt", "data\\obj\\a.png\n")
    said = report(tmp_path)
    assert (said.format, said.per_class) == ("yolo", {"train": {"cat": 0, "dog": 1}})


@pytest.mark.parametrize(
    ("there", "named"), [("a.JPG", "a.jpg"), ("cafe\u0301.jpg", "caf\u00e9.jpg")]
)
def test_a_table_and_a_task_find_an_image_by_another_form(
    tmp_path: Path, there: str, named: str
) -> None:
    _image(tmp_path / "csv" / "images" / "train" / there)
    _write(tmp_path / "csv" / "labels.csv", f"file,label\n{named},cat\n")
    _tasks(tmp_path / "tasks", [{"annotations": [{"result": [BOX]}]}])
    (tmp_path / "tasks" / "images" / "train" / "0.png").rename(
        tmp_path / "tasks" / "images" / "train" / there
    )
    file = tmp_path / "tasks" / "label_studio.json"
    file.write_text(file.read_text().replace("0.png", quote(named)))
    for one in ("csv", "tasks"):
        assert read(tmp_path / one, Faults()).train[0].name == f"images/train/{there}"


def test_a_table_without_splits_takes_those_of_the_folders(tmp_path: Path) -> None:
    for split in ("train", "Valid"):
        _image(tmp_path / "images" / split / "a.png")
    _write(tmp_path / "labels.csv", "file,label\nimages/train/a.png,x\nimages/Valid/a.png,y\n")
    assert _sizes(read(tmp_path, Faults())) == {"train": 1, "val": 1}


@pytest.mark.parametrize("text", ["图片", "图片/第一张.png"])
def test_chinese_that_is_utf8_too(text: str) -> None:
    assert decoded(text.encode("gbk")) == (text, "gb18030")


@pytest.mark.parametrize(
    "text", ["é", "Müller", "phương", "Łódź", "да", "ǎi", "cafe\u0301", "άλφα"]
)
def test_what_is_no_chinese_stays(text: str) -> None:
    assert decoded(text.encode()) == (text, "utf-8-sig")


def test_a_zip_whose_names_are_utf8_too(tmp_path: Path) -> None:
    with ZipFile(tmp_path / "one.zip", "w") as out:
        out.writestr(ZipInfo("_" * 4 + "/a.txt"), b"text")
    raw = (tmp_path / "one.zip").read_bytes().replace(b"_" * 4, "图片".encode("gbk"))
    (tmp_path / "one.zip").write_bytes(raw)
    with ZipArchive(tmp_path / "one.zip") as archive:
        assert [one.name for one in archive.members()] == ["图片/a.txt"]


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_an_image_folder_keeps_the_only_split(tmp_path: Path, split: str) -> None:
    for name in ("cat", "dog"):
        _image(tmp_path / "one" / split / name / f"{name}.png")
    convert(tmp_path / "one", tmp_path / "two", "classification")
    assert report(tmp_path / "two").ok
    assert _sizes(read(tmp_path / "two", Faults())) == {split: 2}


def test_a_class_that_folders_do_not_hold_is_told(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        _image(tmp_path / "one" / "images" / "train" / name)
    _write(tmp_path / "one" / "labels.csv", "file,label\na.png,cat\nb.png,dog\n")
    _write(tmp_path / "one" / "classes.txt", "cat\nbird\ndog\n")
    said = convert(tmp_path / "one", tmp_path / "two", "classification")
    assert said.notes == [
        "No item is of the classes bird: the format classification does not hold them."
    ]
    assert report(tmp_path / "two").classes == ["cat", "dog"]


def test_captions_find_an_image_by_another_form(tmp_path: Path) -> None:
    for name in ("a.JPG", "cafe\u0301.jpg", "no\u0308.jpg"):
        _image(tmp_path / "train" / name)
    rows = "file_name,text\na.jpg,x\ncaf\u00e9.jpg,y\n"
    _write(tmp_path / "train" / "metadata.csv", rows)
    _write(tmp_path / "train" / "n\u00f6.TXT", "z")
    faults = Faults()
    content = read(tmp_path, faults, "caption")
    assert sorted(one.text or "" for one in content.train) == ["x", "y", "z"]
    assert [one.sentence() for one in faults.found if not one.warning] == []


def test_a_split_of_masks_of_0_and_255_is_told(tmp_path: Path) -> None:
    _write(tmp_path / "classes.txt", "background\ncat\n")
    for split, value in (("train", 1), ("val", 255)):
        _image(tmp_path / "images" / split / "a.png")
        (tmp_path / "masks" / split).mkdir(parents=True)
        mask = np.zeros((30, 40), np.uint8)
        mask[:3] = value
        Image.fromarray(mask).save(tmp_path / "masks" / split / "a.png")
    said = [one.sentence() for one in report(tmp_path).faults]
    assert any(one.startswith("val: its masks hold nothing but 0 and 255") for one in said)
