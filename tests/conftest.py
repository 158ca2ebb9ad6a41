"""What tests share: pictures made on the spot, tiny teachers of the real architectures, runs."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Where a test asks for two threads, the one that waits would burn a core that others need.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ["TANDEM_LANG"] = "en"

SHAPES = ("circle", "cross", "square")


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """After each file, what is still there is put where the collector does not look again.

    torch and transformers are half a million objects: a third of a second for each collection,
    and unloading a teacher is one.
    """
    if nextitem is None or nextitem.path != item.path:
        gc.collect()
        gc.freeze()


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    """Leave nothing that is said at length at the exit, after what the tests have to say.

    What is never collected is a leak to some libraries, and a run of a service that was in this
    process is a child that nobody has asked about.
    """
    gc.unfreeze()
    if local := sys.modules.get("tandem.executors.local"):
        for child, _ in local._children.values():
            with suppress(subprocess.TimeoutExpired):
                child.wait(10)


def draw_shape(shape: str, random: np.random.Generator, size: int = 28) -> Image.Image:
    """A light shape on a dark noisy ground: easy to tell, no two alike."""
    ground = random.integers(0, 90, (size, size, 3), dtype=np.uint8)
    image = Image.fromarray(ground)
    pen = ImageDraw.Draw(image)
    side = int(random.integers(10, 18))
    left, top = (int(x) for x in random.integers(1, size - side, 2))
    colour = tuple(int(x) for x in random.integers(150, 255, 3))
    box = (left, top, left + side, top + side)
    if shape == "circle":
        pen.ellipse(box, fill=colour)
    elif shape == "square":
        pen.rectangle(box, fill=colour)
    else:
        pen.line(box, fill=colour, width=4)
        pen.line((left, top + side, left + side, top), fill=colour, width=4)
    return image


def make_shapes(
    folder: Path, *, train: int = 8, val: int = 4, unlabelled: int = 0, seed: int = 0
) -> Path:
    """An image folder of shapes: so many pictures a class, and so many without a label."""
    random = np.random.default_rng(seed)
    for split, count in (("train", train), ("val", val)):
        for shape in SHAPES:
            (folder / split / shape).mkdir(parents=True, exist_ok=True)
            for number in range(count):
                draw_shape(shape, random).save(folder / split / shape / f"{number}.png")
    if unlabelled:
        (folder / "unlabeled").mkdir(parents=True, exist_ok=True)
    for number in range(unlabelled):
        shape = SHAPES[number % len(SHAPES)]
        draw_shape(shape, random).save(folder / "unlabeled" / f"{number}.png")
    return folder


def make_clips(folder: Path, *, train: int = 4, val: int = 2, size: int = 32) -> Path:
    """A light square that goes left or right: one frame does not tell which."""
    random = np.random.default_rng(5)
    for split, count in (("train", train), ("val", val)):
        for name in ("left", "right"):
            for number in range(count):
                below = folder / split / name / f"clip{number}"
                below.mkdir(parents=True)
                top, start = int(random.integers(0, size - 8)), float(random.uniform(0, 6))
                places = [start + 4 * step for step in range(5)]
                for step, left in enumerate(places if name == "right" else places[::-1]):
                    frame = random.integers(0, 80, (size, size, 3), dtype=np.uint8)
                    frame[top : top + 8, int(left) : int(left) + 8] = 230
                    Image.fromarray(frame).save(below / f"{step:03d}.png")
    return folder


def make_texts(folder: Path, *, train: int = 24, val: int = 8) -> Path:
    """Two of many words say which class it is; Chinese and English."""
    random = np.random.default_rng(6)
    good, bad = ["great", "lovely", "fine", "好", "喜欢"], ["awful", "poor", "sad", "坏", "讨厌"]
    other = ["the", "film", "was", "a", "day", "in", "this", "town", "我", "觉得", "这个"]
    folder.mkdir(parents=True, exist_ok=True)
    for split, count in (("train", train), ("val", val)):
        lines = []
        for number in range(count):
            label, words = ("positive", good) if number % 2 else ("negative", bad)
            said = [*random.choice(other, 4), *random.choice(words, 2)]
            random.shuffle(said)
            row = {"text": " ".join(said), "label": label}
            lines.append(json.dumps(row, ensure_ascii=False))
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """8 labelled pictures a class, 24 without a label, 4 a class to validate."""
    return make_shapes(tmp_path_factory.mktemp("data") / "shapes", unlabelled=24)


@pytest.fixture(scope="session")
def small_teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untaught Qwen2.5-VL of the real architecture, 2 blocks deep."""
    from tandem.train.demo.small_qwen import build

    return build(tmp_path_factory.mktemp("teacher") / "qwen", depth=2, hidden=32)


Specs = Callable[..., dict]


@pytest.fixture
def spec_of(shapes: Path, small_teacher: Path, tmp_path: Path) -> Specs:
    """A RunSpec as a dict: 2 epochs of a small ResNet; dotted keywords change it."""

    def make(**changes: object) -> dict:
        spec: dict = {
            "task_id": "test",
            "data": {"dataset": str(shapes), "image_size": 32},
            "teacher": {"path": str(small_teacher), "image_size": 56},
            "student": {"type": "resnet", "size": "resnet18"},
            "optim": {"epochs": 2, "batch_size": 16, "learning_rate": 1e-3},
            "run": {"output_dir": str(tmp_path / "run"), "devices": "cpu"},
            "cache": {"root": str(tmp_path / "cache")},
            "report": {"tensorboard": False},
        }
        for key, value in changes.items():
            section, _, field = key.partition("__")
            if field:
                spec.setdefault(section, {})
                spec[section] = {**(spec[section] or {}), field: value}
            else:
                spec[section] = value
        return spec

    return make
