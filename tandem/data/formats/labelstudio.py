"""Label Studio: tasks with predictions (or annotations) in one JSON, as its import takes them."""

from __future__ import annotations

import json
import os
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

from tandem.data.content import BACKGROUND, UNLABELLED, Content, Item, Shape
from tandem.data.faults import Faults
from tandem.data.masks import to_outlines
from tandem.data.reading.files import (
    SPLITS,
    JsonObject,
    inside,
    is_there,
    measure,
    number,
    read_json,
    read_text,
)
from tandem.data.reading.folder_listing import FolderListing
from tandem.data.reading.walk import Walk
from tandem.data.registry import Writer, register
from tandem.data.writing.files import Parts, placed, put_image, write_whole
from tandem.spec.i18n import t

FILE = "label_studio.json"


@register.format(
    "labelstudio",
    files="label_studio.json, images/{train,val}/*",
    kinds={"classification", "detection", "segmentation"},
    holds={"label", "boxes", "outlines", "confidence"},
    zh="一个任务 JSON；框和轮廓的坐标为图片尺寸的百分比。",
)
class LabelStudio:
    """One JSON of tasks; boxes and outlines are per cent of the picture."""

    def sniff(self, folder: FolderListing) -> bool:
        """Whether there is a label_studio.json."""
        return folder.has_file(FILE)

    def content(self, path: Path, faults: Faults, kind: str | None = None) -> Content:
        """Every task whose picture is here: a person's annotation before a prediction."""
        Walk(path).check(path / FILE)
        tasks = read_json(path / FILE)
        rows = [one for one in tasks if isinstance(one, dict)] if isinstance(tasks, list) else []
        if not rows:
            faults.add(FILE, 0, "it holds no list of tasks")
        names = {name for row in rows for one in _results(row) for name in _names(one)}
        classes = tuple(sorted(names))
        if (path / "classes.txt").is_file():
            classes = tuple(x for x in read_text(path / "classes.txt").splitlines() if x)
        drawn = any(one.get("type") != "choices" for row in rows for one in _results(row))
        learnt = kind or ("detection" if drawn else "classification")
        found: dict[str, list[Item]] = {}
        for place, row in enumerate(rows, 1):
            split, item = _item(path, place, row, classes, learnt, faults)
            if item is not None:
                found.setdefault(split, []).append(item)
        return Content(path, "labelstudio", learnt, classes, found.get("train", []),
                       found.get("val"))  # fmt: skip

    def writer(self, target: Path, classes: tuple[str, ...], kind: str) -> Writer:
        """Tasks as they come; the JSON in `close`."""
        return LabelStudioWriter(target, classes, kind)


def _results(row: JsonObject) -> list[JsonObject]:
    for name in ("annotations", "predictions"):
        several = row.get(name)
        if isinstance(several, list) and several and isinstance(several[0], dict):
            results = several[0].get("result")
            found = results if isinstance(results, list) else []
            return [one for one in found if isinstance(one, dict)]
    return []


def _names(result: JsonObject) -> list[str]:
    value = result.get("value")
    value = value if isinstance(value, dict) else {}
    found = value.get("rectanglelabels") or value.get("polygonlabels") or value.get("choices") or []
    return [str(one) for one in found] if isinstance(found, list) else []


def _item(
    path: Path, place: int, row: JsonObject, classes: tuple[str, ...], kind: str, faults: Faults
) -> tuple[str, Item | None]:
    data = row.get("data") if isinstance(row.get("data"), dict) else {}
    assert isinstance(data, dict)
    split = data.get("split") if data.get("split") in SPLITS else "train"
    name = _file_named(str(data.get("image") or ""))
    file = next((one for one in (path / "images" / str(split) / name, path / name)
                 if name and is_there(one)), None)  # fmt: skip
    if file is None or not inside(path, file):
        faults.add(FILE, 0, "task {place}: the picture {file} is not there", place=place,
                   file=name)  # fmt: skip
        return str(split), None
    item = Item(os.fsencode(os.path.relpath(file, path)))
    if not measure(path, item, faults):
        return str(split), None
    if kind != "classification":
        item.shapes = []
    for one in _results(row):
        problem = _add_result(item, one, classes)
        if problem is not None:
            faults.add(FILE, 0, "task {place}: {problem}", place=place, problem=t(problem))
    return str(split), item


def _file_named(url: str) -> str:
    """The path in a Label Studio address: `/data/local-files/?d=…`, or the path itself."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    given = parse_qs(parts.query).get("d", [parts.path])[0]
    steps = [one for one in PurePosixPath(unquote(given)).parts if one not in ("/", "..")]
    return "/".join(steps)


def _add_result(item: Item, result: JsonObject, classes: tuple[str, ...]) -> str | None:
    names = _names(result)
    value = result.get("value")
    if len(names) != 1 or names[0] not in classes or not isinstance(value, dict):
        return "a result has no class that is known"
    label, confidence = classes.index(names[0]), number(result.get("score"))
    if result.get("type") == "choices":
        item.label, item.confidence = label, confidence
        return None
    scale = np.array([item.width, item.height]) / 100
    if result.get("type") == "rectanglelabels":
        sides = [number(value.get(one)) for one in ("x", "y", "width", "height")]
        if any(one is None for one in sides):
            return "its box is not four numbers"
        x, y, width, height = (one for one in sides if one is not None)
        if width <= 0 or height <= 0:
            return "the box has no area"
        box = (x * scale[0], y * scale[1], (x + width) * scale[0], (y + height) * scale[1])
        shape = Shape(label, tuple(map(float, box)), confidence=confidence)  # type: ignore[arg-type]
    else:
        points = value.get("points")
        if not isinstance(points, list) or len(points) < 3:
            return "its polygon is none"
        numbers = [number(one) for pair in points if isinstance(pair, list) for one in pair]
        if len(numbers) != 2 * len(points) or any(one is None for one in numbers):
            return "its polygon is none"
        ring = np.array(numbers, np.float64).reshape(-1, 2) * scale
        shape = Shape(label, outlines=(ring,), confidence=confidence)
    item.shapes = [*(item.shapes or []), shape]
    return None


class LabelStudioWriter:
    """Keeps tasks in a hidden file; `label_studio.json` and its labelling interface in `close`."""

    def __init__(self, target: Path, classes: tuple[str, ...], kind: str) -> None:
        self.target, self.kind, self.classes = target, kind, classes
        self.parts = Parts(target / ".parts.jsonl")

    def add(self, item: Item, split: str, source: Path | None) -> list[str]:
        name = placed(item, source)
        put_image(source, self.target / "images" / split / name)
        lost: set[str] = set()
        results = [one for shape in item.shapes or [] for one in self._drawn(shape, item, lost)]
        if item.label != UNLABELLED:
            results.append({"type": "choices", "from_name": "choice", "to_name": "image",
                            "value": {"choices": [self.classes[item.label]]},
                            **_score(item.confidence)})  # fmt: skip
        predicted = item.confidence is not None or any(
            one.confidence is not None for one in item.shapes or []
        )
        version = str(item.attributes.get("model", "tandem"))
        said: JsonObject = {"result": results}
        if predicted:
            said["model_version"] = version
        shown = f"images/{split}/{name}" if source is not None else item.name
        task: JsonObject = {"data": {"image": f"/data/local-files/?d={shown}", "split": split}}
        if item.shapes is not None or item.label != UNLABELLED:
            task["predictions" if predicted else "annotations"] = [said]
        self.parts.add({"key": f"{split}/{item.name}", "task": task})
        return sorted(lost)

    def _drawn(self, shape: Shape, item: Item, lost: set[str]) -> list[JsonObject]:
        if shape.crowd:
            lost.add(t("a crowd is left out"))
            return []
        if shape.label == 0 and self.classes[:1] == (BACKGROUND,):
            return []
        if shape.attributes:
            lost.add(t("attributes are left out: {names}", names=", ".join(shape.attributes)))
        name, scale = self.classes[shape.label], 100 / np.array([item.width, item.height])
        common = {"from_name": "label", "to_name": "image", "original_width": item.width,
                  "original_height": item.height, "image_rotation": 0,
                  **_score(shape.confidence)}  # fmt: skip
        if shape.box is not None and not shape.outlines and shape.rle is None:
            left, top, right, bottom = shape.box
            value = {"x": left * scale[0], "y": top * scale[1], "width": (right - left) * scale[0],
                     "height": (bottom - top) * scale[1], "rotation": 0,
                     "rectanglelabels": [name]}  # fmt: skip
            return [{"type": "rectanglelabels", **common, "value": value}]
        outlines = to_outlines(shape)
        if len(outlines) > 1:
            lost.add(t("a shape of several parts becomes several shapes"))
        return [
            {"type": "polygonlabels", **common,
             "value": {"points": (points * scale).tolist(), "polygonlabels": [name]}}
            for points in outlines
        ]  # fmt: skip

    def close(self) -> None:
        tasks = [part["task"] for part in self.parts.rows()]
        write_whole(self.target / FILE, json.dumps(tasks, ensure_ascii=False, indent=1))
        write_whole(self.target / "classes.txt", "".join(f"{one}\n" for one in self.classes))


def _score(confidence: float | None) -> JsonObject:
    return {} if confidence is None else {"score": confidence}
