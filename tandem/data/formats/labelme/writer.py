"""Writes LabelMe: a JSON beside each picture."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from tandem.data.content import BACKGROUND, UNLABELLED, Item, Shape
from tandem.data.masks import to_outlines
from tandem.data.reading.files import JsonObject
from tandem.data.writing.files import placed, put_image, write_whole
from tandem.spec.i18n import t

VERSION = "5.5.0"


class LabelMeWriter:
    """`<split>/<name>.json`, and the pictures beside where they are given."""

    def __init__(self, target: Path, classes: tuple[str, ...], kind: str) -> None:
        self.target, self.kind, self.classes = target, kind, classes

    def add(self, item: Item, split: str, source: Path | None) -> list[str]:
        name = placed(item)
        put_image(source, self.target / split / name)
        if item.shapes is None and item.label == UNLABELLED:
            return []
        lost: set[str] = set()
        taken = {one.attributes.get("group_id") for one in item.shapes or []
                 if isinstance(one.attributes.get("group_id"), int)}  # fmt: skip
        groups = (number for number in count(1) if number not in taken)
        shapes = [one for shape in item.shapes or [] for one in self._shapes(shape, groups, lost)]
        if lost and not shapes and item.label == UNLABELLED:
            return sorted(lost)  # only a crowd is in it: it is no background
        shown = name if source is not None else item.name
        write_whole(
            (self.target / split / name).with_suffix(".json"),
            json.dumps(self._whole(item, shown, shapes), ensure_ascii=False, indent=1),
        )
        return sorted(lost)

    def _whole(self, item: Item, name: str, shapes: list[JsonObject]) -> JsonObject:
        told: JsonObject = {"version": VERSION, "flags": {}, "shapes": shapes,
                                "imagePath": Path(name).name, "imageData": None,
                                "imageHeight": item.height, "imageWidth": item.width}  # fmt: skip
        if item.label != UNLABELLED:
            told["flags"] = {self.classes[item.label]: True}
        if item.confidence is not None:
            told["flag_score"] = item.confidence
        if "predicted" in item.attributes:
            told["tandem_predicted"] = item.attributes["predicted"]
        return told

    def _shapes(self, shape: Shape, groups: Iterator[int], lost: set[str]) -> list[JsonObject]:
        if shape.crowd:
            lost.add(t("a crowd is left out"))
            return []
        if shape.label == 0 and self.classes[:1] == (BACKGROUND,):
            return []
        one: JsonObject = {"group_id": None, "description": "", "flags": {}}
        one |= shape.attributes | {"label": self.classes[shape.label]}
        if shape.confidence is not None:
            one["score"] = shape.confidence
        if shape.box is not None and not shape.outlines and shape.rle is None:
            left, top, right, bottom = shape.box
            return [one | {"points": [[left, top], [right, bottom]], "shape_type": "rectangle"}]
        outlines = to_outlines(shape)
        if len(outlines) > 1:
            one["group_id"] = next(groups)  # the parts of one thing
        return [one | {"points": points.tolist(), "shape_type": "polygon"} for points in outlines]

    def close(self) -> None:
        write_whole(self.target / "classes.txt", "".join(f"{one}\n" for one in self.classes))
