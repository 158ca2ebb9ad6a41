"""Pictures of one name: whatever the layout, each keeps a label of its own, beside its picture."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from tandem.data.faults import Faults
from tandem.data.masks import item_mask
from tandem.data.registry import formats, read
from tandem.predict.annotation.inputs import InputListing, NamedOutput
from tandem.predict.annotation.label_writer import LabelWriter
from tandem.predict.annotation.written_names import FILE, opened
from tandem.predict.answers import DetectedBox, Detections, SegmentationMask
from tandem.predict.prediction import Prediction
from tandem.spec.annotation import AnnotationSpec
from tandem.spec.errors import DataError, OutputFolderError

CLASSES = ("cat", "dog")
SAME = ("0.png", "train/0.png", "val/0.png", "images/0.png", "images/train/0.png",
        "images/val/0.PNG", "deep/0.png", "deep__0.png", "valid/0.png", "0.jpg", "0_1.png",
        "cat/0.png", "dog/0.png", "train/cat/0.png")  # fmt: skip


def draw(folder: Path, names: tuple[str, ...] = SAME) -> dict[str, tuple[int, int]]:
    """A picture of its own size for each name; the sizes."""
    sizes = {}
    for number, name in enumerate(names):
        sizes[name] = (40 + number, 30)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", sizes[name], (number, 0, 0)).save(folder / name)
    return sizes


def predictor(kind: str) -> SimpleNamespace:
    config = SimpleNamespace(kind=kind, temperature=1.0, thresholds={})
    return SimpleNamespace(config=config, classes=list(CLASSES), version="v")


def answer(kind: str, width: int, height: int) -> Detections | Prediction | SegmentationMask:
    """What tells the picture's width again."""
    if kind == "detection":
        return Detections((DetectedBox("dog", 0.5, (0.0, 0.0, width - 1.0, 9.0)),), height, width)
    if kind == "segmentation":
        mask = np.zeros((height, width), np.uint8)
        mask[:9, : width - 1] = 1
        return SegmentationMask(mask, CLASSES, {"cat": 0.5, "dog": 0.5})
    return Prediction(CLASSES[width % 2], 0.5, {"cat": 0.5, "dog": 0.5})


def annotate(source: Path, output: Path, kind: str, writer: str, *, run: str = "run") -> None:
    """All items, by a writer that is opened anew for each, as by a job that is always stopped."""
    spec = AnnotationSpec(
        task_id="J", model=Path("m"), model_name="m", input=source, output=output,
        run_dir=output.parent / run, writer=writer,
    )  # fmt: skip
    done = 0
    while True:
        labels = LabelWriter(spec, predictor(kind), {"cat": 0, "dog": 1})  # type: ignore[arg-type]
        listing = InputListing(source, spec.run_dir, kind, 1, labels.outputs)
        if done == listing.count:
            labels.close()
            return
        item = list(listing)[done]
        assert item.path is not None
        with Image.open(item.path) as image:
            width, height = image.size
        labels.add(item, answer(kind, width, height), (height, width))
        done += 1


WRITERS = [(kind, name) for name, entry in formats().items() for kind in sorted(entry.writes)
           if kind in ("detection", "classification", "segmentation")]  # fmt: skip


@pytest.mark.parametrize(("kind", "writer"), WRITERS)
def test_each_image_keeps_its_own_label(kind: str, writer: str, tmp_path: Path) -> None:
    sizes = draw(tmp_path / "in")
    annotate(tmp_path / "in", tmp_path / "out", kind, writer)
    told = (
        labelme_files
        if writer == "labelme"
        else mask_files
        if writer == "segmentation"
        else as_read
    )
    found = list(told(tmp_path / "out", kind))
    for width, label, right in found:
        assert label == (CLASSES[width % 2] if kind == "classification" else "dog")
        assert right is None or right == pytest.approx(width - 1, abs=0.01)
    assert sorted(width for width, _, _ in found) == sorted(width for width, _ in sizes.values())


Rows = Iterator[tuple[int, str, float | None]]
"""Of each picture: its width, its class, and where its shape ends."""


def as_read(folder: Path, kind: str) -> Rows:
    faults = Faults()
    content = read(folder, faults, kind)
    assert not [one.sentence() for one in faults.found if not one.warning]
    for _, items in content.splits():
        for item in items:
            with Image.open(content.path(item)) as image:
                width = image.width
            if kind == "classification":
                yield width, content.classes[item.label], None
            if item.mask is not None:
                mask = item_mask(content, item)
                yield width, "dog", int((mask == content.classes.index("dog")).any(0).sum())
            for shape in item.shapes or []:
                yield width, content.classes[shape.label], shape.bounds()[2]


def labelme_files(folder: Path, kind: str) -> Rows:
    for file in folder.rglob("*.json"):
        whole = json.loads(file.read_text())
        if "imagePath" not in whole:
            continue
        with Image.open(file.parent / whole["imagePath"]) as image:
            width = image.width
        if kind == "classification":
            yield width, next(iter(whole["flags"])), None
        for shape in whole["shapes"]:
            yield width, shape["label"], max(x for x, _ in shape["points"])


def mask_files(folder: Path, kind: str) -> Rows:  # noqa: ARG001
    for file in (folder / "images").rglob("*.*"):
        mask = folder / "masks" / file.relative_to(folder / "images").with_suffix(".png")
        with Image.open(file) as image, Image.open(mask) as pixels:
            yield image.width, "dog", int((np.array(pixels) == 1).any(0).sum())


@pytest.mark.parametrize("writer", ["coco", "voc"])
def test_the_splits_stay_what_they_are(writer: str, tmp_path: Path) -> None:
    draw(tmp_path / "in", ("train/0.png", "Validation/0.png", "test/0.png"))
    annotate(tmp_path / "in", tmp_path / "out", "detection", writer)
    content = read(tmp_path / "out", Faults())
    assert {name: len(items) for name, items in content.splits()} == {
        "train": 1, "val": 1, "test": 1}  # fmt: skip


def test_labelme_labels_lie_beside_images_that_stay_where_they_are(tmp_path: Path) -> None:
    names = ("train/0.png", "val/0.png", "a/0.png", "A/0.png", "a__0.png")
    draw(tmp_path / "in", names)
    annotate(tmp_path / "in", tmp_path / "in", "detection", "labelme")
    for name in names:
        assert (tmp_path / "in" / name).with_suffix(".json").is_file()


def test_a_second_job_of_the_same_images_writes_over_its_labels_and_no_others(
    tmp_path: Path,
) -> None:
    draw(tmp_path / "one", ("0.png", "train/0.png"))
    draw(tmp_path / "two", ("pad.png", "pad2.png", "0.png"))
    annotate(tmp_path / "one", tmp_path / "out", "detection", "yolo", run="a")
    annotate(tmp_path / "one", tmp_path / "out", "detection", "yolo", run="b")
    annotate(tmp_path / "two", tmp_path / "out", "detection", "yolo", run="c")
    content = read(tmp_path / "out", Faults())
    widths = [item.width for item in content.train]
    assert sorted(widths) == [40, 40, 41, 41, 42]


def test_a_folder_of_another_job_is_not_gone_on_with(tmp_path: Path) -> None:
    draw(tmp_path / "one", ("0.png",))
    draw(tmp_path / "two", ("1.png",))
    annotate(tmp_path / "one", tmp_path / "out", "detection", "yolo")
    with pytest.raises(OutputFolderError, match="of a job over"):
        annotate(tmp_path / "two", tmp_path / "out", "detection", "yolo")


def test_another_image_of_the_name_is_never_labelled_in_its_place(tmp_path: Path) -> None:
    draw(tmp_path / "in", ("0.png",))
    draw(tmp_path / "out", ("pad.png", "0.png"))
    with pytest.raises(DataError, match="is another picture than"):
        annotate(tmp_path / "in", tmp_path / "out", "detection", "labelme")
    assert not (tmp_path / "out" / "0.json").exists()


def named(folder: Path, writer: str, names: list[str], *videos: str) -> list[str]:
    with opened(folder, writer, CLASSES) as book:
        return [
            book.of(f"s{number}".encode(), name, has_twin=False, is_video=name in videos)
            for number, name in enumerate(names)
        ]


def test_names_are_apart_for_who_takes_case_and_accents_for_one(tmp_path: Path) -> None:
    given = ["é.png", unicodedata.normalize("NFD", "é.png"), "É.png", "images/é.png"]
    assert named(tmp_path, "yolo", given) == [
        "é.png", unicodedata.normalize("NFD", "é_1.png"), "É_2.png", "images/é_3.png"]  # fmt: skip
    # And the same again, for the same files; of a million of one name each is found at once.
    assert named(tmp_path, "yolo", given)[3] == "images/é_3.png"


def test_frames_of_two_videos_and_images_called_like_frames(tmp_path: Path) -> None:
    given = ["a.mp4", "a.avi", "a__000000.jpg", "train/a.mp4", "b__1000000.png", "b.mp4"]
    videos = [one for one in given if one.endswith(("mp4", "avi"))]
    assert named(tmp_path, "yolo", given, *videos) == [
        "a", "a_1", "a__000000_1.jpg", "train/a_2", "b__1000000.png", "b_1"]  # fmt: skip


def test_clips_of_one_name_are_apart_in_their_classes(tmp_path: Path) -> None:
    assert named(tmp_path, "sequence", ["x/clip", "y/clip", "y/z/clip"]) == [
        "x/clip", "y/clip_1", "y/z/clip_2"]  # fmt: skip


def test_names_that_are_no_utf8_are_kept(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    bad = b"\xd5\xd5.png".decode("utf-8", "surrogateescape")
    Image.new("RGB", (9, 9)).save(tmp_path / "x.png")
    (tmp_path / "x.png").rename(folder / bad)
    outputs = [NamedOutput(tmp_path / "out", "labelme")]
    found = list(InputListing(folder, tmp_path / "run", "detection", 1, outputs))
    assert [one.name for one in found] == [bad]
    assert (tmp_path / "out" / FILE).is_file()


def test_a_job_below_a_folder_that_is_no_utf8_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / b"\xd5\xd5".decode("utf-8", "surrogateescape")
    draw(folder, ("0.png",))
    for _ in range(2):
        assert InputListing(folder, tmp_path / "run", "detection").count == 1
