"""A labelled split as a table in the model's own classes: matched by name, never by their order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tandem.data.content import IGNORED, Content, Item
from tandem.data.faults import Faults
from tandem.data.registry import read
from tandem.data.verification.support import is_annotated
from tandem.predict.images import MAX_PIXELS
from tandem.spec.errors import DataError, StudentError
from tandem.spec.i18n import t
from tandem.spec.model import ModelConfig
from tandem.spec.report import SplitName
from tandem.train.data.boxes import DetectionTable, read_table
from tandem.train.data.clips import clip_table
from tandem.train.data.inspect_files import inspect
from tandem.train.data.masks import MaskTable, mask_table
from tandem.train.data.splits import first_names, tell_warnings
from tandem.train.data.texts import text_table
from tandem.train.data.tokens import from_folder
from tandem.train.types import UNLABELLED, ImageTable, ProgressReporter

MOST_NAMED = 10
_NEWEST_FIRST: tuple[SplitName, ...] = ("test", "val", "train")
"""Where nobody says which: what least was chosen on."""


@dataclass(frozen=True)
class LabelledSplit:
    """What a model is measured on."""

    split: SplitName
    table: ImageTable | DetectionTable
    left_out: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class RenumberedMasks(MaskTable):
    """Masks whose values are made the model's numbers as they are read."""

    numbers: NDArray[np.uint8] = field(default_factory=lambda: np.arange(256, dtype=np.uint8))

    def mask(self, row: int) -> NDArray[np.uint8]:
        """What the model does not know nobody is asked about."""
        return self.numbers[super().mask(row)]


@dataclass(frozen=True)
class SplitQuery:
    """Which split of which data set, and where what is made of it may be kept."""

    dataset: Path
    split: SplitName | None
    layout: str | None
    scratch: Path
    """For frames of videos."""


def read_labelled(
    query: SplitQuery, config: ModelConfig, folder: Path, progress: ProgressReporter
) -> LabelledSplit:
    """The split, its classes numbered as the model's; `folder` is where the model lies.

    DataError where the data is of another kind, has no such split, no label in it, or no class
    that the model knows.
    """
    faults = Faults()
    content = read(query.dataset, faults, config.kind, query.layout)
    faults.check()
    tell_warnings(faults, progress)
    split, items = _chosen(content, query.split)
    numbers, notes = _matched(config.classes, content)
    kept, left_out = _known(items, numbers, config)
    notes = [*content.notes, *notes]
    if left_out:
        notes.append(
            t("{count} samples of classes unknown to the model are left out.", count=left_out)
        )
    if not kept:
        raise DataError(
            "The {split} split of {path} has no labelled sample of a class that the model knows.",
            split=split,
            path=query.dataset,
            fix="Label some, or name another split.",
        )
    named = replace(content, classes=tuple(config.classes))
    if config.kind == "segmentation":
        table: ImageTable | DetectionTable = _masks(content, kept, numbers, config, progress)
    else:
        table = _table(named, kept, config, folder, query.scratch, progress)
    return LabelledSplit(split, table, left_out, tuple(notes))


def _chosen(content: Content, asked: SplitName | None) -> tuple[SplitName, list[Item]]:
    there = {name: items for name, items in content.splits() if any(map(is_annotated, items))}
    wanted = [asked] if asked else [name for name in _NEWEST_FIRST if name in there]
    if not wanted or wanted[0] not in there:
        raise DataError(
            "The data set {path} has no labelled split {split}.",
            path=content.root,
            split=asked or "test",
            allowed=sorted(there),
            fix="Name a split that is there, or label some.",
        )
    return wanted[0], [one for one in there[wanted[0]] if is_annotated(one)]


def _matched(model: Sequence[str], content: Content) -> tuple[dict[int, int], list[str]]:
    """The data set's class numbers as the model's, and what does not match, in sentences.

    A name that differs in case or in space around it is the same, unless two of the model do.
    """
    exact = {name: place for place, name in enumerate(model)}
    loose: dict[str, int | None] = {}
    for place, name in enumerate(model):
        key = name.strip().casefold()
        loose[key] = None if key in loose else place
    numbers: dict[int, int] = {}
    for number, name in enumerate(content.classes):
        found = exact.get(name, loose.get(name.strip().casefold()))
        if found is not None:
            numbers[number] = found
    if not numbers:
        raise DataError(
            "The data set {path} has none of the model's classes: it has {theirs}, the model "
            "{ours}.",
            path=content.root,
            theirs=first_names(content.classes, MOST_NAMED),
            ours=first_names(model, MOST_NAMED),
            fix="Classes are matched by name: rename them, or take another model.",
        )
    notes = []
    unknown = [one for number, one in enumerate(content.classes) if number not in numbers]
    if unknown:
        notes.append(
            t(
                "The model does not know these classes of the data set: {names}.",
                names=first_names(unknown, MOST_NAMED),
            )
        )
    absent = [one for place, one in enumerate(model) if place not in numbers.values()]
    if absent:
        notes.append(
            t(
                "The data set does not have these classes of the model: {names}.",
                names=first_names(absent, MOST_NAMED),
            )
        )
    return numbers, notes


def _known(
    items: list[Item], numbers: dict[int, int], config: ModelConfig
) -> tuple[list[Item], int]:
    """The items in the model's numbers, and how many of them it cannot know.

    Of boxes and masks only the unknown part is left out: the rest of the picture is asked about.
    """
    if config.kind == "detection":
        found = []
        for one in items:
            shapes = [
                replace(shape, label=numbers[shape.label])
                for shape in one.shapes or []
                if shape.label in numbers
            ]
            if one.shapes is not None:
                found.append(replace(one, shapes=shapes))
        return found, 0
    if config.kind == "segmentation":
        return items, 0
    kept = [replace(one, label=numbers[one.label]) for one in items if one.label in numbers]
    labelled = sum(one.label != UNLABELLED for one in items)
    return kept, labelled - len(kept)


def _masks(
    content: Content,
    items: list[Item],
    numbers: dict[int, int],
    config: ModelConfig,
    progress: ProgressReporter,
) -> RenumberedMasks:
    lookup = np.full(256, IGNORED, np.uint8)
    for theirs, ours in numbers.items():
        lookup[theirs] = ours
    table = mask_table(content, items, MAX_PIXELS, None, progress)
    return RenumberedMasks(**vars(table) | {"classes": tuple(config.classes), "numbers": lookup})


def _table(
    content: Content,
    items: list[Item],
    config: ModelConfig,
    folder: Path,
    scratch: Path,
    progress: ProgressReporter,
) -> ImageTable | DetectionTable:
    match config.kind:
        case "classification":
            paths = [one.path for one in items]
            return ImageTable(
                content.root,
                np.array(paths, np.bytes_),
                np.array([one.label for one in items], np.int64),
                inspect(content.root, paths, MAX_PIXELS, None, progress),
                content.classes,
            )
        case "detection":
            return read_table(content, items, MAX_PIXELS, None, progress)
        case "sequence":
            return clip_table(
                content,
                items,
                frames_root=scratch / "frames",
                shown_frames=config.student.frames,
                max_pixels=MAX_PIXELS,
                index_root=None,
                progress=progress,
            )
        case "text":
            tokens = from_folder(folder)
            table = text_table(content.root, items, content.classes)
            return table.tokenised(tokens, config.student.max_tokens)
        case _:
            raise StudentError(
                "A model of the kind {kind} cannot be measured here.",
                kind=config.kind,
                allowed=["classification", "detection", "segmentation", "sequence", "text"],
            )
