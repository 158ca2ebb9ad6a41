"""Tasks as Label Studio imports them, and the labelling interface that shows them."""

from __future__ import annotations

import json
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np

from tandem.data.content import BACKGROUND, UNLABELLED, Item, Shape
from tandem.data.formats.labelstudio import brush
from tandem.data.formats.labelstudio.address import encoded
from tandem.data.formats.labelstudio.tasks import FILE
from tandem.data.masks import rle_mask, to_outlines
from tandem.data.reading.files import JsonObject
from tandem.data.writing.files import Parts, placed, put_image, write_whole, writing_whole
from tandem.spec.i18n import t

CONFIG = "label_config.xml"
CONTROLS = {"rectanglelabels": ("RectangleLabels", "label"),
            "polygonlabels": ("PolygonLabels", "polygon"),
            "brushlabels": ("BrushLabels", "brush")}  # fmt: skip
"""By type of result: its tag, and the name of its control."""


class LabelStudioWriter:
    """Keeps tasks in a hidden file; `label_studio.json` and its labelling interface in `close`."""

    def __init__(self, target: Path, classes: tuple[str, ...], kind: str) -> None:
        self.target, self.kind, self.classes = target, kind, classes
        self.parts = Parts(target / ".parts.jsonl")

    def add(self, item: Item, split: str, source: Path | None) -> list[str]:
        name = placed(item)
        put_image(source, self.target / "images" / split / name)
        lost: set[str] = set()
        results = [one for shape in item.shapes or [] for one in self._drawn(shape, item, lost)]
        if item.label != UNLABELLED:
            results.append({"type": "choices", "from_name": "choice", "to_name": "image",
                            "value": {"choices": [self.classes[item.label]]},
                            **_score(item.confidence)})  # fmt: skip
        predicted = "model" in item.attributes or item.confidence is not None or any(
            one.confidence is not None for one in item.shapes or []
        )  # fmt: skip
        said: JsonObject = {"result": results}
        if predicted:
            said["model_version"] = str(item.attributes.get("model", "tandem"))
        shown = f"images/{split}/{name}" if source is not None else item.name
        task: JsonObject = {"data": {"image": encoded(shown), "split": split}}
        # Where nothing could be written of what was drawn, nothing is said: it is no background.
        if results or (item.shapes is not None and not lost):
            task["predictions" if predicted else "annotations"] = [said]
        self.parts.add({"key": f"{split}/{name}", "task": task})
        return sorted(lost)

    def _drawn(self, shape: Shape, item: Item, lost: set[str]) -> list[JsonObject]:
        if shape.crowd:
            lost.add(t("a crowd is left out"))
            return []
        if shape.label == 0 and self.classes[:1] == (BACKGROUND,):
            return []
        if shape.attributes:
            lost.add(t("attributes are left out: {names}", names=", ".join(shape.attributes)))
        scale = 100 / np.array([item.width, item.height])
        if shape.box is not None and not shape.outlines and shape.rle is None:
            left, top, right, bottom = shape.box
            value = {"x": left * scale[0], "y": top * scale[1], "width": (right - left) * scale[0],
                     "height": (bottom - top) * scale[1], "rotation": 0}  # fmt: skip
            return [self._result("rectanglelabels", value, shape, item)]
        if shape.rle is not None:
            code = brush.encode(rle_mask(shape.rle))
            return [self._result("brushlabels", {"format": "rle", "rle": code}, shape, item)]
        outlines = to_outlines(shape)
        if len(outlines) > 1:
            lost.add(t("a shape of several parts becomes several shapes"))
        return [
            self._result("polygonlabels", {"points": (points * scale).tolist()}, shape, item)
            for points in outlines
        ]

    def _result(self, name: str, value: JsonObject, shape: Shape, item: Item) -> JsonObject:
        return {"type": name, "from_name": CONTROLS[name][1], "to_name": "image",
                "original_width": item.width, "original_height": item.height, "image_rotation": 0,
                **_score(shape.confidence),
                "value": {**value, name: [self.classes[shape.label]]}}  # fmt: skip

    def close(self) -> None:
        with writing_whole(self.target / FILE) as out:
            out.write("[")
            for count, part in enumerate(self.parts.rows()):
                task = json.dumps(part["task"], ensure_ascii=False, indent=1)
                out.write(("," if count else "") + "\n" + task)
            out.write("\n]")
        write_whole(self.target / "classes.txt", "".join(f"{one}\n" for one in self.classes))
        write_whole(self.target / CONFIG, self._config())

    def _config(self) -> str:
        names = self.classes[1:] if self.classes[:1] == (BACKGROUND,) else self.classes
        lines = ["<View>", '  <Image name="image" value="$image"/>']
        if self.kind == "classification":
            lines.append('  <Choices name="choice" toName="image">')
            lines += [f"    <Choice value={quoteattr(one)}/>" for one in self.classes]
            lines.append("  </Choices>")
        for tag, control in () if self.kind == "classification" else CONTROLS.values():
            lines.append(f'  <{tag} name="{control}" toName="image">')
            lines += [f"    <Label value={quoteattr(one)}/>" for one in names]
            lines.append(f"  </{tag}>")
        return "\n".join([*lines, "</View>", ""])


def _score(confidence: float | None) -> JsonObject:
    return {} if confidence is None else {"score": confidence}
