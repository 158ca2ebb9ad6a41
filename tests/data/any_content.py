"""Strategies of Hypothesis for contents: items of every kind, with names of any letters."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from tandem.data.content import IGNORED, Content, Item, Shape
from tandem.data.masks import mask_rle

WIDTH, HEIGHT = 24, 18
BY_FOLDERS = ("classification", "sequence")
LETTERS = "ab Z09%+&#'\"=;,!~()[]{}$@^_-é猫ñ狗😀ß.:"
YAML_WORDS = ("no", "on", "yes", "null", "~", "true", "1", "007", "1.5", "1e3", "0x1f", "12:30",
              "2024-01-31", "nan", "-1", "a: b", "# c", "- d", "'e", '"f', "[g]", "{h}", "|",
              "é")  # fmt: skip
ENDINGS = ("", " 0", " 1", " -1", ".tar", "_0", "%20", "+")


def stems() -> st.SearchStrategy[str]:
    """Names of files without their suffix."""
    letters = st.text(LETTERS, min_size=1, max_size=6).map(lambda one: one.strip(" ."))
    return st.builds(lambda one, end: one + end, letters.filter(bool), st.sampled_from(ENDINGS))


def class_names(least: int) -> st.SearchStrategy[list[str]]:
    """Names of classes, no two alike however they are written."""
    words = st.text(LETTERS, min_size=1, max_size=5).map(lambda one: one.strip(" ."))
    name = st.one_of(st.sampled_from(YAML_WORDS), words.filter(bool))
    return st.lists(name.filter(lambda one: one.casefold() != "background"), min_size=least,
                    max_size=4, unique_by=str.casefold)  # fmt: skip


def _sides(draw: Callable[..., Any], most: int) -> tuple[float, float]:
    low = draw(st.integers(0, most - 2))
    return low, draw(st.integers(low + 1, most)) - draw(st.sampled_from([0, 0.25, 1 / 3]))


@st.composite
def boxes(draw: Callable[..., Any]) -> tuple[float, float, float, float]:
    """With an area, and within the image."""
    left, right = _sides(draw, WIDTH)
    top, bottom = _sides(draw, HEIGHT)
    return float(left), float(top), float(right), float(bottom)


@st.composite
def rings(draw: Callable[..., Any]) -> np.ndarray:
    """The corners of a triangle or of a hexagon with an area."""
    left, top, right, bottom = draw(boxes())
    third = (left + right) / 2
    if draw(st.booleans()):
        return np.array([[left, top], [right, top], [third, bottom]])
    middle = (top + bottom) / 2
    return np.array([[third, top], [right, middle], [third, bottom], [left, middle]])


@st.composite
def masks(draw: Callable[..., Any], values: list[int]) -> np.ndarray:
    """Rectangles over each other, a hole in the last, as pixels of the values."""
    mask = np.full((HEIGHT, WIDTH), values[0], np.uint8)
    for _ in range(draw(st.integers(1, 3))):
        left, top, right, bottom = (int(np.ceil(one)) for one in draw(boxes()))
        mask[top:bottom, left:right] = draw(st.sampled_from(values))
        if draw(st.booleans()):
            mask[top + 1 : bottom - 1, left + 1 : right - 1] = values[0]
    return mask


@st.composite
def shapes(draw: Callable[..., Any], count: int, first: int) -> Shape:
    """A box, outlines or run lengths; a prediction or a person's; perhaps a crowd."""
    label, way = draw(st.integers(first, count - 1)), draw(st.sampled_from("bbbooprc"))
    sure = draw(st.sampled_from([None, None, 0.5, 0.123456789]))
    if way == "b":
        return Shape(label, draw(boxes()), confidence=sure)
    if way == "o":
        return Shape(label, outlines=(draw(rings()),), confidence=sure)
    if way == "p":
        return Shape(label, outlines=(draw(rings()), draw(rings())), confidence=sure)
    mask = draw(masks([0, 1]).filter(lambda one: bool(one.any())))
    return Shape(label, rle=mask_rle(mask), crowd=way == "c", confidence=sure)


@st.composite
def contents(draw: Callable[..., Any], kind: str, holds: frozenset[str]) -> Content:
    """One of a kind, of a root that `put` fills: each image has its number in its pixels."""
    least = 2 if kind in ("classification", "sequence", "text") else 1
    classes = draw(class_names(least))
    if kind == "segmentation":
        classes = ["background", *classes]
    if kind in ("instruction", "caption"):
        classes = []
    splits: dict[str, list[Item]] = {}
    number = 0
    for split in ("train", *draw(st.sampled_from([(), ("val",), ("val", "test")]))):
        items = []
        # Each class of a folder's name is in train, and something of any set is labelled.
        least = len(classes) if kind in BY_FOLDERS and split == "train" else 1
        for place in range(draw(st.integers(least, max(least, 3)))):
            number += 1
            made = _items(kind, holds, len(classes), number, split)
            item = draw(made if number > 1 else made.filter(_is_labelled))
            if kind in BY_FOLDERS and place < least and split == "train":
                item.label = place
            if item.text is None or item.width:
                taken = {one.path for one in items}
                while item.path in taken:
                    item.path = item.path.replace(b".", b"%d." % number, 1)
            items.append(item)
        splits[split] = items
    return Content(Path(), "", kind, tuple(classes), splits["train"], splits.get("val"),
                   test=splits.get("test"))  # fmt: skip


@st.composite
def _items(
    draw: Callable[..., Any], kind: str, holds: frozenset[str], count: int, number: int, split: str
) -> Item:
    folder = draw(st.sampled_from(["", "", "sub/", "照片 1/"]))
    suffix = draw(st.sampled_from([".png", ".PNG", ".Png", ".jpg"]))
    item = Item(os.fsencode(f"images/{split}/{folder}{draw(stems())}{suffix}"), WIDTH, HEIGHT)
    item.attributes["number"] = number
    words = st.text(LETTERS + "\u2028\n\t", min_size=1, max_size=20).map(str.strip).filter(bool)
    if kind in ("text", "instruction"):
        item = Item(b"train.jsonl", line=number, text=draw(words))
    match kind:
        case "classification" | "sequence" | "text":
            item.label = draw(st.integers(0 if kind == "sequence" else -1, count - 1))
            if kind == "text":
                item.text_b = draw(st.none() | words)
        case "caption":
            item.text = draw(words)
        case "instruction":
            turns = [{"role": "user", "content": draw(words)},
                     {"role": "assistant", "content": item.text, "weight": 0}]  # fmt: skip
            item.text = f"{turns[0]['content']}\n{item.text}"
            item.attributes = {"messages": turns, "fields": {"id": number}}
        case _ if "masks" in holds and draw(st.booleans()):
            values = [*range(count), IGNORED]
            item.mask = b"masks/%d.png" % number
            item.attributes["mask"] = draw(masks(values))
        case _:
            first = 1 if kind == "segmentation" else 0
            drawn = st.lists(shapes(count, first), max_size=3, unique_by=lambda one: one.bounds())
            item.shapes = draw(st.none() | st.just([]) | drawn)
    return item


def _is_labelled(item: Item) -> bool:
    return bool(item.shapes) or item.label >= 0 or item.text is not None or item.mask is not None


def put(root: Path, content: Content) -> Content:
    """The same with its files: each image is of one colour, which not even a JPEG loses."""
    for split, items in content.splits():
        for item in items:
            number = item.attributes.pop("number", None)
            mask = item.attributes.pop("mask", None)
            if isinstance(mask, np.ndarray):
                assert item.mask is not None
                _save(root / os.fsdecode(item.mask), mask)
            if content.kind == "sequence":
                folder = item.name.rpartition(".")[0]
                item.path = os.fsencode(folder)
                item.width = item.height = 0
                item.frames = tuple(os.fsencode(f"{folder}/{one}.png") for one in range(3))
            for at, path in enumerate(item.frames or ((item.path,) if item.width else ())):
                colour = (20 * number, 80 * at, 30 * len(split))
                pixels = np.full((HEIGHT, WIDTH, 3), colour, np.uint8)
                _save(root / os.fsdecode(path), pixels)
    return Content(root, content.format, content.kind, content.classes, content.train,
                   content.val, test=content.test)  # fmt: skip


def _save(file: Path, pixels: np.ndarray) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(file)
