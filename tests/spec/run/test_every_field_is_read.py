"""No knob that nothing reads: each field of the RunSpec is read by the trainer or a command."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import tandem
from tandem.spec.run import RunSpec, Section
from tests.conftest import make_clips, make_shapes, make_texts
from tests.train.engines.runs import run_here
from tests.train.yolo.drawn import write_yolo
from tests.train.yolo.runs import spec_of as detection

READERS = tuple(str(Path(tandem.__file__).parent / part) for part in ("train", "commands"))


def sections(model: type[BaseModel] = RunSpec) -> Iterator[type[BaseModel]]:
    """RunSpec and every section in it."""
    yield model
    for info in model.model_fields.values():
        inner = [info.annotation, *getattr(info.annotation, "__args__", ())]
        for one in inner:
            if isinstance(one, type) and issubclass(one, Section):
                yield from sections(one)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> set[tuple[str, str]]:
    """(section, field) of every read that a line under train/ or commands/ makes."""
    seen: set[tuple[str, str]] = set()

    def watched(self: Section, name: str) -> Any:
        if not name.startswith("_"):
            reader = sys._getframe(1).f_code.co_filename
            if reader.startswith(READERS):
                seen.add((type(self).__name__, name))
        return object.__getattribute__(self, name)

    monkeypatch.setattr(Section, "__getattribute__", watched)
    return seen


def test_every_field_is_read(
    reads: set[tuple[str, str]], spec_of: Any, tmp_path: Path, shapes: Path, small_teacher: Path
) -> None:
    # Everything on, class scores from a probe; then the rest in a run without a val split.
    first = spec_of(
        data={"dataset": str(shapes), "image_size": 64},
        loss={
            "attention_weight": 0.1,
            "relation_weight": 0.1,
            "intermediate_weight": 0.1,
            "label_smoothing": 0.1,
        },
        optim={
            "epochs": 1,
            "batch_size": 16,
            "optimizer": "sgd",
            "learning_rate": 1e-3,
            "ema_decay": 0.5,
            "early_stopping_epochs": 3,
        },
        views={"count": 2, "mixup": 0.2, "cutmix": 0.2},
        report={"baseline": True, "tensorboard": False},
        run={"output_dir": str(tmp_path / "first"), "devices": "cpu"},
    )
    assert run_here(first, tmp_path) == 0
    images = make_shapes(tmp_path / "pictures", train=6, val=0)
    for folder in (images / "val").iterdir():
        folder.rmdir()
    (images / "val").rmdir()
    second = spec_of(
        data={"dataset": str(images), "image_size": 32},
        teacher={
            "path": str(small_teacher),
            "image_size": 56,
            "knowledge": "lora",
        },
        lora={"rank": 2, "epochs": 1},
        student={
            "size": "resnet18",
            "init": "pretrained",
            "path": str(tmp_path / "first" / "final_model"),
            "dual_head": True,
        },
        optim={"epochs": 1, "batch_size": 8},
        report={
            "tensorboard": False,
            "api_base_url": "http://127.0.0.1:9",
            "delivery_grace_seconds": 0.1,
        },
        run={"output_dir": str(tmp_path / "second"), "devices": "cpu"},
    )
    assert run_here(second, tmp_path) == 0
    boxes = write_yolo(tmp_path / "boxes", train=8, val=2)
    assert run_here(detection(boxes, tmp_path / "boxes-run", optim__epochs=1), tmp_path) == 0
    clips, texts = make_clips(tmp_path / "clips"), make_texts(tmp_path / "texts")
    student = {"type": "lstm", "size": "small", "frames": 2, "pooling": "mean"}
    of_clips = spec_of(
        data={"dataset": str(clips), "image_size": 32},
        student=student,
        optim={"epochs": 1, "batch_size": 4},
        cache={"root": str(tmp_path / "clips-cache")},
        run={"output_dir": str(tmp_path / "clips-run"), "devices": "cpu"},
    )
    of_clips["teacher"] |= {"frames": 2, "knowledge": "label_scoring"}
    assert run_here(of_clips, tmp_path) == 0
    of_texts = spec_of(
        mode="direct",
        data={"dataset": str(texts)},
        student={"type": "bert", "size": "mini", "max_tokens": 16},
        lora={"rank": 2, "on": "student"},
        optim={"epochs": 1, "batch_size": 4},
        run={"output_dir": str(tmp_path / "texts-run"), "devices": "cpu"},
    )
    del of_texts["teacher"]
    assert run_here(of_texts, tmp_path) == 0
    fields = {(s.__name__, name) for s in sections() for name in s.model_fields}
    assert sorted(fields - reads) == []
