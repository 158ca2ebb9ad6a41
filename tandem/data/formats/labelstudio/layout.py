"""One JSON of tasks, and the pictures that they name."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tandem.data.content import UNLABELLED, Content, Item
from tandem.data.faults import Faults
from tandem.data.formats.labelstudio.address import ImageFiles, image_keys
from tandem.data.formats.labelstudio.results import (
    Sorted,
    shape_of,
    sorted_results,
    stated_sizes,
)
from tandem.data.formats.labelstudio.tasks import FILE, Said, Unread, speaking
from tandem.data.formats.labelstudio.writer import LabelStudioWriter
from tandem.data.formats.yolo import with_background
from tandem.data.reading.encodings import is_whole_text
from tandem.data.reading.files import JsonObject, measure, read_json
from tandem.data.reading.folder_listing import FolderListing
from tandem.data.reading.split_names import split_of
from tandem.data.reading.texts import names_in
from tandem.data.reading.walk import Walk
from tandem.data.registry import Writer, register
from tandem.spec.errors import DataError
from tandem.spec.i18n import t

HEAD_BYTES = 20_000
ALIKE = 0.01
"""The share of a side by which two sizes of one shape may differ for rounding."""


@register.format(
    "labelstudio",
    files="label_studio.json, images/{train,val}/*",
    kinds={"classification", "detection", "segmentation"},
    holds={"label", "boxes", "outlines", "rle", "confidence"},
    zh="一个任务 JSON；框和轮廓的坐标为图片尺寸的百分比。",
)
class LabelStudio:
    """One JSON of tasks; boxes and outlines are per cent of the picture."""

    def sniff(self, folder: FolderListing) -> bool:
        """Whether there is a label_studio.json, or one file of tasks as Label Studio exports it."""
        return folder.has_file(FILE) or len(_exports(folder)) == 1

    def content(self, path: Path, faults: Faults, kind: str | None = None) -> Content:
        """Every task whose picture is here: a person's annotation before a prediction."""
        exports = [FILE] if (path / FILE).is_file() else _exports(FolderListing(path))
        file = exports[0] if len(exports) == 1 else FILE
        Walk(path).check(path / file)
        tasks = read_json(path / file)
        if isinstance(tasks, list) and any(_is_min(one) for one in tasks[:5]):
            raise DataError("{path} is a JSON-MIN export, which does not say who drew what.",
                            path=path / file, fix="Export the project as JSON.")  # fmt: skip
        reading = _Reading(path, file, faults)
        if not isinstance(tasks, list) or not tasks:
            faults.add(file, 0, "it holds no list of tasks")
        else:
            for place, row in enumerate(tasks, 1):
                reading.add(place, row)
        return reading.content(kind)

    def writer(self, target: Path, classes: tuple[str, ...], kind: str) -> Writer:
        """Tasks as they come; the JSON in `close`."""
        return LabelStudioWriter(target, classes, kind)


def _exports(folder: FolderListing) -> list[str]:
    """The files that begin as an export does: `project-1-at-2024-01-31-12-00-0a1b2c3d.json`."""
    found = []
    for name in folder.names():
        head = folder.head(name, HEAD_BYTES) if name.endswith(".json") else b""
        said = any(one in head for one in (b'"annotations"', b'"predictions"', b'"completions"'))
        least = b'"annotation_id"' in head and b'"lead_time"' in head
        if head.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] == b"[" and ((b'"data"' in head and said)
                                                                or least):  # fmt: skip
            found.append(name)
    return found


def _is_min(row: object) -> bool:
    return isinstance(row, dict) and "data" not in row and "annotation_id" in row


@dataclass
class _Task:
    place: int
    item: Item
    said: Said | None
    results: Sorted


@dataclass
class _Reading:
    root: Path
    file: str
    faults: Faults
    unread: Unread = field(default_factory=Unread)
    found: dict[str, list[_Task]] = field(default_factory=dict)
    taken: dict[bytes, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.images = ImageFiles(self.root)

    def add(self, place: int, row: object) -> None:
        """Take one task, if its picture is here."""
        data = row.get("data") if isinstance(row, dict) else None
        if not isinstance(row, dict) or not isinstance(data, dict):
            self.faults.add(self.file, 0, "task {place}: it has no data", place=place)
            return
        said = speaking(row, place, self.unread, self.faults, self.file)
        address = self._address(place, data, said)
        if address is None:
            return
        asked = self._split(place, data)
        file = self.images.find(address, asked)
        if file is None:
            self.faults.add(self.file, 0, "task {place}: the picture {file} is not there",
                            place=place, file=address[:200])  # fmt: skip
            return
        item = Item(os.fsencode(os.path.relpath(file, self.root)))
        other = self.taken.setdefault(item.path, place)
        if other != place:
            self.faults.add(self.file, 0, "task {place}: its picture {file} is task {other}'s",
                            place=place, file=item.name, other=other)  # fmt: skip
            return
        if not measure(self.root, item, self.faults) or not self._sizes_agree(place, item, said):
            return
        split = asked or self.images.split_of(file) or "train"
        results = sorted_results(said or Said([]), place, self.unread)
        self.found.setdefault(split, []).append(_Task(place, item, said, results))

    def content(self, kind: str | None) -> Content:
        """What was taken, as boxes where anything is drawn, as classes else."""
        tasks = [one for several in self.found.values() for one in several]
        learnt = _kind(tasks, kind)
        names = self._choose(tasks) if learnt == "classification" else self._draw(tasks)
        classes = self._classes(names)
        items = {split: [one.item for one in several] for split, several in self.found.items()}
        if learnt == "segmentation":
            classes = with_background(classes, [one.item for one in tasks])
        self._tell_images_without_a_task()
        self.unread.tell(self.faults, self.file)
        predicted = self.unread.predicted
        if predicted:
            self.notes.append(t("{file}: {count} tasks have no annotation, task {place} first; "
                                "their predictions are read.", file=self.file,
                                count=len(predicted), place=predicted[0]))  # fmt: skip
        return Content(self.root, "labelstudio", learnt, classes,
                       items.get("train", []), items.get("val"), tuple(self.notes),
                       items.get("test"))  # fmt: skip

    def _address(self, place: int, data: JsonObject, said: Said | None) -> str | None:
        keys = image_keys(data)
        if not keys:
            shown = ", ".join(list(data)[:8])[:200]
            self.faults.add(self.file, 0, "task {place}: its data names no picture (its keys: "
                            "{keys})", place=place, keys=shown)  # fmt: skip
            return None
        if len(keys) == 1:
            return str(data[keys[0]])
        controls = {str(one["to_name"]) for one in said.results if one.get("to_name")} if (
            said) else set()  # fmt: skip
        meant = [one for one in keys if one in controls]
        if len(controls) > 1 or (not meant and keys[0] != "image" and controls):
            self.faults.add(self.file, 0, "task {place}: it has several pictures ({keys}), and "
                            "whose its results are is not certain", place=place,
                            keys=", ".join(keys)[:200])  # fmt: skip
            return None
        key = meant[0] if meant else keys[0]
        note = t("{file}: tasks name several pictures; {key} is read.", file=self.file, key=key)
        if note not in self.notes:
            self.notes.append(note)
        return str(data[key])

    def _split(self, place: int, data: JsonObject) -> str | None:
        said = data.get("split")
        found = split_of(said) if isinstance(said, str) else None
        if said not in (None, "") and found is None:
            self.faults.add(self.file, 0, "task {place}: its split {split} is none of train, val "
                            "and test; its picture's folder counts", warning=True, place=place,
                            split=str(said)[:40])  # fmt: skip
        return found

    def _sizes_agree(self, place: int, item: Item, said: Said | None) -> bool:
        """Per cent hold for a picture of another size, as long as its shape is the same."""
        for wide, high in sorted(stated_sizes(said)) if said else ():
            if (wide, high) == (item.width, item.height):
                continue
            alike = abs(wide * item.height / (high * item.width) - 1) <= ALIKE
            self.faults.add(self.file, 0, "task {place}: it says that {file} has {wide} x {high} "
                            "pixels, the picture has {width} x {height}", warning=alike,
                            place=place, file=item.name, wide=f"{wide:g}", high=f"{high:g}",
                            width=item.width, height=item.height)  # fmt: skip
            if not alike:
                return False
        return True

    def _draw(self, tasks: list[_Task]) -> dict[str, list[tuple[Item, int]]]:
        """Give each item its shapes; the items and places of shapes by the name of their class."""
        named: dict[str, list[tuple[Item, int]]] = {}
        for task in tasks:
            if task.said is None:
                continue
            task.item.shapes = []
            for several in task.results.choices.values():
                for _ in several:
                    self.unread.control("choices", task.place)
            score = task.said.score if task.said.predicted else None
            for region in task.results.regions:
                found = shape_of(region, task.item, score)
                if len(region.names) != 1 or not is_whole_text(region.names[0]):
                    found = _why(region.names)
                if isinstance(found, str):
                    self._fault(task, found)
                    continue
                named.setdefault(region.names[0], []).append((task.item, len(task.item.shapes)))
                task.item.shapes.append(found)
            if task.results.drawn_otherwise and not task.item.shapes:
                task.item.faulty = True  # it is no background
        return named

    def _choose(self, tasks: list[_Task]) -> dict[str, list[tuple[Item, int]]]:
        """The items by the one name that was chosen of each."""
        controls = Counter(control for one in tasks for control in one.results.choices)
        meant = min(controls, key=lambda one: (-controls[one], one), default="")
        if len(controls) > 1:
            self.faults.add(self.file, 0, "several controls have choices ({names}); {name} is read",
                            warning=True, names=", ".join(sorted(controls))[:200],
                            name=meant[:40])  # fmt: skip
        named: dict[str, list[tuple[Item, int]]] = {}
        for task in tasks:
            for _ in task.results.regions:
                self.unread.control("region", task.place)
            names = list(dict.fromkeys(task.results.choices.get(meant, [])))
            if len(names) > 1 or not all(map(is_whole_text, names)):
                self._fault(task, _why(names))
            elif names:
                named.setdefault(names[0], []).append((task.item, -1))
                score = task.said.score if task.said and task.said.predicted else None
                own = task.results.choice_score
                task.item.confidence = score if own is None else own
        return named

    def _fault(self, task: _Task, problem: str) -> None:
        task.item.faulty = True
        self.faults.add(self.file, 0, "task {place}: {problem}", place=task.place,
                        problem=t(problem))  # fmt: skip

    def _classes(self, named: dict[str, list[tuple[Item, int]]]) -> tuple[str, ...]:
        """Those of classes.txt, or else the names by the alphabet; each item is given its own."""
        listed = self.root / "classes.txt"
        classes = tuple(sorted(named))
        if listed.is_file():
            Walk(self.root).check(listed)
            classes = names_in(listed)
        unknown = [one for one in named if one not in classes]
        for name in unknown:
            self.faults.add(self.file, 0, "there is no class {label} in classes.txt",
                            label=name[:80])  # fmt: skip
            for item, place in named[name]:
                item.faulty = True
                if place >= 0 and item.shapes is not None:
                    item.shapes[place].label = UNLABELLED
        numbers = {name: number for number, name in enumerate(classes)}
        for name, several in named.items():
            for item, place in several if name in numbers else ():
                if place < 0:
                    item.label = numbers[name]
                elif item.shapes is not None:
                    item.shapes[place].label = numbers[name]
        for item in (one for name in unknown for one, _ in named[name]):
            item.shapes = item.shapes and [one for one in item.shapes if one.label >= 0]
        return classes

    def _tell_images_without_a_task(self) -> None:
        images = self.root / "images"
        there = Walk(self.root).images(images if images.is_dir() else self.root)
        rest = [one for one in there if one not in self.taken]
        if rest:
            self.faults.add(self.file, 0, "{count} pictures are in no task and are left out, such "
                            "as {file}", warning=True, count=len(rest),
                            file=os.fsdecode(rest[0]))  # fmt: skip


def _kind(tasks: list[_Task], asked: str | None) -> str:
    """Boxes where anything is drawn or somebody saw nothing to draw, else classes."""
    drawn = any(one.results.regions for one in tasks)
    chosen = any(one.results.choices for one in tasks)
    looked = any(one.said is not None for one in tasks)
    if drawn:
        return asked if asked and (asked != "classification" or chosen) else "detection"
    if chosen:
        return "classification"
    return asked or ("detection" if looked else "classification")


def _why(names: list[str]) -> str:
    if len(names) > 1:
        return "it has several labels, and only one can be read"
    return "a result has no class that is known"
