"""Each thing that can be wrong with a data set: one clear sentence, with file and line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from tandem.data.inspection.check import report
from tandem.data.registry import recognise
from tests.data import make


def told(path: Path, kind: str | None = None) -> list[str]:
    said = report(path, kind)
    assert said.errors + said.warnings == len(said.faults)
    return [one.sentence() for one in make.faults_of(said)]


def changed(file: Path, change: Callable[[dict], None]) -> None:
    whole = json.loads(file.read_text())
    change(whole)
    file.write_text(json.dumps(whole))


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("0 1.5 0.5 0.1 0.1", "1.5 lies outside 0 to 1"),
        ("0 0.5 0.5 -0.1 0.1", "-0.1 lies outside 0 to 1"),
        ("2 0.5 0.5 0.1 0.1", "there is no class 2; the classes are 0 to 1"),
        ("-1 0.5 0.5 0.1 0.1", "there is no class -1; the classes are 0 to 1"),
        ("0.5 0.5 0.5 0.1 0.1", "there is no class 0.5; the classes are 0 to 1"),
        ("0 0.5 0.5 0 0.1", "the box has no area"),
        ("0 0.1 0.1 0.2 0.1 0.3 0.1", "the outline has no area"),
        ("0 0.5 0.5", "a box is class cx cy w h; here are 3 numbers"),
        ("0 nan 0.5 0.1 0.1", "it holds something else than numbers"),
        ("0 1e999 0.5 0.1 0.1", "it holds something else than numbers"),
        ("cat 0.5 0.5 0.1 0.1", "it holds something else than numbers"),
    ],
)
def test_a_bad_line_of_yolo(line: str, sentence: str, tmp_path: Path) -> None:
    make.yolo(tmp_path)
    file = tmp_path / "labels/train/a.txt"
    file.write_text(file.read_text() + f"\n{line}\n0 0.5 0.5 0.2 0.2\n")
    assert told(tmp_path) == [f"labels/train/a.txt:4: {sentence}"]
    content, _ = make.read(tmp_path)
    assert len(content.train[0].shapes or []) == 3  # the rest is read


def test_an_image_without_a_label_is_background_and_a_label_without_one_is_told(
    tmp_path: Path,
) -> None:
    make.yolo(tmp_path)
    make.write(tmp_path / "labels/train/gone.txt", "0 0.5 0.5 0.1 0.1\n")
    said = report(tmp_path)
    assert said.ok
    assert [one.sentence() for one in said.faults] == [
        "labels/train/gone.txt: there is no picture of this label file"]  # fmt: skip
    assert said.annotated == {"train": 2, "val": 1}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("nc: 3\nnames: [cat, dog]", "nc is 3, but names has 2"),
        ("names: {0: cat, 2: dog}", "names must be numbered from 0 on without a gap"),
        ("names: [cat, cat, dog]", "a class is named twice"),
        ("names: [cat", "is no YAML"),
        ("- cat", "holds no names and paths"),
        ("a: &a [x]\nnames: [*a, *a]", "aliases are not read"),
        ("names: !!python/object/apply:os.system ['touch /tmp/x']", "is no YAML"),
        ("[" * 100_000, "it is nested too deep"),
        ("- " * 100_000, "it is nested too deep"),
        ("".join(f"{' ' * n}a:\n" for n in range(1200)), "is no YAML"),
        ("a" * 2_000_000, "is too large"),
        ("nc: 99999999999", "There cannot be 99999999999 classes"),
    ],
)
def test_a_bad_data_yaml(text: str, sentence: str, tmp_path: Path) -> None:
    make.yolo(tmp_path)
    (tmp_path / "data.yaml").write_text(text)
    [first, *_] = told(tmp_path)
    assert sentence in first
    assert "data.yaml" in first


@pytest.mark.parametrize("foreign", ["/srv/li/data/shapes", "C:\\data\\shapes", "../shapes"])
def test_paths_of_another_machine_are_found_here_and_said(foreign: str, tmp_path: Path) -> None:
    make.yolo(tmp_path)
    slash = "\\" if "\\" in foreign else "/"
    (tmp_path / "data.yaml").write_text(
        f"train: '{foreign}{slash}images{slash}train'\nval: '{foreign}{slash}images{slash}val'\n"
        "names: [cat, dog]\n"
    )
    said = report(tmp_path)
    assert said.ok
    assert said.items == {"train": 2, "val": 1}
    if foreign.startswith("/"):
        assert "images/train of this folder is meant" in said.notes[0]


def test_masks_of_another_size_or_value_and_with_colours(tmp_path: Path) -> None:
    make.segmentation(tmp_path)
    Image.new("L", (39, 30), 1).save(tmp_path / "masks/train/a.png")
    Image.new("L", (40, 30), 7).save(tmp_path / "masks/train/空 b.png")
    Image.new("RGB", (40, 30)).save(tmp_path / "masks/val/c.png")
    Image.new("L", (40, 30)).save(tmp_path / "masks/val/gone.png")
    said = report(tmp_path)
    assert not said.ok
    assert sorted(one.sentence() for one in said.faults) == [
        "masks/train/a.png: the mask is 39 x 30, its picture 40 x 30",
        "masks/train/空 b.png: the value 7 is no class; they are 0 to 2",
        "masks/val/c.png: the mask has colours (RGB), not one byte a pixel",
        "masks/val/gone.png: there is no picture of this mask",
    ]
    (tmp_path / "classes.txt").unlink()
    [sentence] = told(tmp_path)
    assert "names the classes of the masks" in sentence


def _coco(change: Callable[[dict], None]) -> Callable[[Path], None]:
    def apply(root: Path) -> None:
        changed(root / "annotations/train.json", change)

    return apply


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda w: w["images"][0].update(file_name="gone.png"), "the picture gone.png is not"),
        (lambda w: w["images"][0].update(file_name="../../a.png"), "picture ../../a.png is not"),
        (lambda w: w["images"][0].update(file_name="x" * 9999), "xxx is not there"),
        (lambda w: w["images"][1].update(id=1), "the image id 1 comes twice"),
        (lambda w: w["annotations"][1].update(id=1), "the annotation id 1 comes twice"),
        (lambda w: w["annotations"][0].update(image_id=99), "annotation 1 is of image 99, which"),
        (lambda w: w["annotations"][0].update(category_id=7), "annotation 1 is of category 7"),
        (lambda w: w["annotations"][0].update(bbox=[1, 1, 0, 5]), "1: its box has no area"),
        (lambda w: w["annotations"][0].update(bbox=[1, 1, float("nan"), 5]), "not four numbers"),
        (lambda w: w["annotations"][0].update(bbox=[1, 1, 10**400, 5]), "not four numbers"),
        (lambda w: w["annotations"][0].update(bbox=[50, 1, 5, 5]), "lies outside the picture"),
        (lambda w: w["annotations"][0].update(segmentation=[[1, 2, 3]]), "its polygon is none"),
        (lambda w: w["annotations"][0].update(segmentation={"size": [30, 40], "counts": "zzz"}),
         "its run lengths are none"),
        (lambda w: w["annotations"][0].update(segmentation={"size": [30, 40], "counts": [5, 5]}),
         "its run lengths are none"),
        (lambda w: w["annotations"][0].update(segmentation={"size": [9, 9], "counts": [81]}),
         "of a picture of another size"),
        (lambda w: w["categories"].append({"id": 10, "name": "cat"}), "category id 10 comes twice"),
        (lambda w: w["categories"][0].update(name="cow"), "category 10 is cat here and cow in"),
        (lambda w: w["images"][0].update(width=41), "has 41 x 30 pixels, the picture has 40"),
        (lambda w: w.pop("images"), "it needs lists of images"),
    ],
)  # fmt: skip
def test_a_bad_coco_file(change: Callable[[dict], None], sentence: str, tmp_path: Path) -> None:
    make.coco(tmp_path)
    _coco(change)(tmp_path)
    assert any(sentence in one for one in told(tmp_path)), told(tmp_path)
    assert not report(tmp_path).ok


def test_a_crowd_and_run_lengths_are_no_fault(tmp_path: Path) -> None:
    make.coco(tmp_path)
    runs = {"size": [30, 40], "counts": [30, 60, 30 * 40 - 90]}
    _coco(lambda w: w["annotations"][0].update(iscrowd=1, segmentation=runs))(tmp_path)
    assert told(tmp_path) == []
    content, _ = make.read(tmp_path)
    assert content.train[0].shapes
    assert content.train[0].shapes[0].crowd


@pytest.mark.parametrize("text", ["[" * 200_000, '{"a":' * 200_000, "{", "\ufeff[]", "NaN"])
def test_a_json_without_end(text: str, tmp_path: Path) -> None:
    for name, file in (("coco", "annotations/train.json"), ("labelme", "train/a.json"),
                       ("labelstudio", "label_studio.json")):  # fmt: skip
        path = tmp_path / name
        make.ALL[name](path)
        (path / file).write_text(text, encoding="utf-8")
        (path / "meta.json").write_text(f'{{"type": "{name}"}}')
        assert not report(path).ok


BOMB = """<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;&x;">
<!ENTITY z SYSTEM "file:///etc/passwd">]><annotation><object><name>&z;</name></object>
</annotation>"""


def test_a_voc_file_with_entities_is_never_read(tmp_path: Path) -> None:
    make.voc(tmp_path)
    (tmp_path / "Annotations/a.xml").write_text(BOMB)
    sentence = "it declares entities or a document type, which are never read"
    assert told(tmp_path) == [f"Annotations/a.xml: {sentence}"]


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("<xmin>4</xmin>", "<xmin>20</xmin>", "its box has no area"),
        ("<xmin>4</xmin>", "", "its box is not four numbers"),
        ("<xmin>4</xmin>", "<xmin>inf</xmin>", "its box is not four numbers"),
        ("<name>cat</name>", "", "it has no name"),
        ("<xmin>4</xmin><ymin>5</ymin><xmax>20</xmax><ymax>25</ymax>",
         "<xmin>64</xmin><ymin>5</ymin><xmax>90</xmax><ymax>25</ymax>", "lies outside the picture"),
    ],
)  # fmt: skip
def test_a_bad_object_of_voc(old: str, new: str, sentence: str, tmp_path: Path) -> None:
    make.voc(tmp_path)
    file = tmp_path / "Annotations/a.xml"
    file.write_text(file.read_text().replace(old, new))
    [only] = told(tmp_path)
    assert only.startswith("Annotations/a.xml: object 1")
    assert sentence in only


def test_a_set_of_voc_that_names_what_is_not_there(tmp_path: Path) -> None:
    make.voc(tmp_path)
    make.write(tmp_path / "ImageSets/Main/val.txt", "c\n\ngone\n../a\n")
    assert told(tmp_path) == [
        "ImageSets/Main/val.txt:3: the picture gone is not there",
        "ImageSets/Main/val.txt:4: ../a is no name of a picture",
    ]


@pytest.mark.parametrize(
    ("shape", "sentence", "warning"),
    [
        ({"label": "cat", "points": [[1, 1], [1, 9]]}, "it has no area", False),
        ({"label": "", "points": [[1, 1], [9, 9]]}, "it has no label", False),
        ({"label": "cat", "points": [[1, "x"], [9, 9]]}, "its points are no numbers", False),
        ({"label": "cat", "points": [[1, 1], [9, 9]], "shape_type": "line"},
         "of this type is left out", True),
        ({"label": "cat", "points": [[1, 1], [9, 9]], "shape_type": "polygon"},
         "it has too few points", False),
        ({"label": "cat", "points": [[80, 80], [99, 99]]}, "it lies outside", False),
    ],
)  # fmt: skip
def test_a_bad_shape_of_labelme(shape: dict, sentence: str, warning: bool, tmp_path: Path) -> None:
    make.labelme(tmp_path)
    shape = {"shape_type": "rectangle"} | shape
    (tmp_path / "train/空 b.json").write_text(make.labelme_told("空 b.PNG", [shape]))
    said = report(tmp_path)
    [fault] = said.faults
    assert fault.sentence().startswith("train/空 b.json: shape 1: ")
    assert sentence in fault.sentence()
    assert fault.warning == said.ok == warning


def test_flags_of_labelme_are_the_class_of_the_image(tmp_path: Path) -> None:
    for name, flags in (("a", {"cat": True, "dog": False}), ("b", {"dog": True}), ("c", {})):
        make.draw(tmp_path / "train" / f"{name}.png", [], ord(name))
        whole = json.loads(make.labelme_told(f"{name}.png", []))
        make.write(tmp_path / "train" / f"{name}.json", json.dumps(whole | {"flags": flags}))
    content, _ = make.read(tmp_path)
    assert content.kind == "classification"
    assert [one.label for one in content.train] == [0, 1, -1]


def test_clips_with_one_frame_none_and_several_sizes(tmp_path: Path) -> None:
    make.sequence(tmp_path)
    (tmp_path / "train/cat/empty").mkdir()
    make.draw(tmp_path / "train/dog/short/0.png", [], 77)
    Image.new("RGB", (20, 20)).save(tmp_path / "val/dog/clip 2/1.png")
    said = report(tmp_path)
    assert sorted((one.sentence(), one.warning) for one in said.faults) == [
        ("train/cat/empty: the clip holds no frame", False),
        ("train/dog/short: the clip has one frame only", True),
        ("val/dog/clip 2: the frames have several sizes: 20 x 20, 40 x 30", True),
    ]


def make_video(file: Path, frames: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(file), "w") as out:
        stream = out.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for number in range(frames):
            image = np.full((32, 32, 3), 20 * number, np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        out.mux(stream.encode())


def test_a_video_that_cannot_be_decoded(tmp_path: Path) -> None:
    for frames, name in enumerate(("cat", "dog"), 3):
        make_video(tmp_path / "train" / name / f"{name}.mp4", frames)
    make.write(tmp_path / "train/dog/bad.mp4", b"\x00\x00\x00\x18ftypmp42 no video")
    make.write(tmp_path / "train/dog/none.mp4", b"")
    assert recognise(tmp_path).name == "sequence"
    said = report(tmp_path)
    assert said.items == {"train": 4}
    sentences = sorted(one.sentence() for one in said.faults)
    assert len(sentences) == 2, sentences
    assert sentences[0].startswith("train/dog/bad.mp4: ")
    assert "cannot be decoded" in sentences[0]
    assert sentences[1].startswith("train/dog/none.mp4: ")


def test_tables_in_gbk_and_with_a_mark(tmp_path: Path) -> None:
    make.write(tmp_path / "train.csv", "text,label\n很好,正面\n太差,负面\n".encode("gbk"))
    make.write(tmp_path / "val.csv", "\ufefftext,label\n好,正面\n")
    said = report(tmp_path)
    assert said.ok
    assert said.notes == ["train.csv is not UTF-8; it was read as GBK."]
    content, _ = make.read(tmp_path)
    assert [one.text for one in content.train] == ["很好", "太差"]
    assert set(content.classes) == {"正面", "负面"}
    assert content.val
    assert content.classes[content.val[0].label] == "正面"


def test_empty_texts_and_bad_rows(tmp_path: Path) -> None:
    rows = [
        '{"text": "good", "label": "a"}',
        '{"text": "  ", "label": "a"}',
        "{nothing",
        '{"words": "x"}',
        "[1]",
        '{"text": "bad", "label": "²"}',
        '{"text": "no", "label": 7}',
    ]
    make.write(tmp_path / "train.jsonl", "\n".join(rows))
    assert told(tmp_path) == [
        "train.jsonl:2: the text is empty",
        "train.jsonl:3: it is no JSON",
        "train.jsonl:4: there is no text, sentence or text_a",
        "train.jsonl:5: it is no JSON object",
    ]
    assert make.read(tmp_path)[0].classes == ("7", "a", "²")


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"instruction": "x"}, "an instruction needs a response (or output)"),
        ({"messages": [{"role": "user", "content": "x"}]}, "the last turn is not the assistant's"),
        ({"messages": [{"role": "root", "content": "x"}]}, "a turn has no role or no content"),
        ({"messages": [3]}, "a turn has no role or no content"),
        ({"nothing": 1}, "it has neither instruction, conversations, messages nor text"),
    ],
)
def test_a_bad_conversation(row: dict, sentence: str, tmp_path: Path) -> None:
    make.instruction(tmp_path)
    with (tmp_path / "train.jsonl").open("a") as out:
        out.write(json.dumps(row) + "\n")
    assert told(tmp_path) == [f"train.jsonl:4: {sentence}"]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("gone.png,train,cat,,1,1,5,5,40,30", "the picture gone.png is not there"),
        ("../../etc/passwd,train,cat,,1,1,5,5,40,30", "etc/passwd is not there"),
        ("a.png,train,cat,,1,1,1,5,40,30", "the box has no area"),
        ("a.png,train,cat,,1,one,5,5,40,30", "its box is not four numbers"),
        ("a.png,train,cat,,1", "it has 5 cells, the first line 10"),
        (f"{'x' * 9999},train,cat,,1,1,5,5,40,30", "is not there"),
    ],
)
def test_a_bad_line_of_a_table(line: str, sentence: str, tmp_path: Path) -> None:
    make.csv(tmp_path)
    with (tmp_path / "labels.csv").open("a") as out:
        out.write(line + "\n")
    [only] = told(tmp_path)
    assert only.startswith("labels.csv:7: ")
    assert sentence in only


def test_the_same_file_in_both_splits_or_under_two_labels(tmp_path: Path) -> None:
    make.classification(tmp_path)
    same = (tmp_path / "train/cat/0.png").read_bytes()
    make.write(tmp_path / "val/cat/again.png", same)
    make.write(tmp_path / "train/dog/wrong.png", same)
    said = report(tmp_path)
    assert said.ok
    assert sorted(one.sentence() for one in said.faults) == [
        "train/dog/wrong.png: the same as train/cat/0.png, but with another label",
        "val/cat/again.png: the same as train/cat/0.png of train: the scores will look better "
        "than they are",
    ]


def test_an_image_cut_short_is_told(tmp_path: Path) -> None:
    make.coco(tmp_path)
    file = make.draw(tmp_path / "images/val/c.jpg")
    file.write_bytes(file.read_bytes()[:-60])
    [only] = told(tmp_path)
    assert only.startswith("images/val/c.jpg: ")
    assert "truncated or damaged" in only
