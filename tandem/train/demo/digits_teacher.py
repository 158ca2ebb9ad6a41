"""Teach the demonstration's small Qwen2.5-VL its digits, and keep it as a checkpoint folder.

A 7 B teacher knows digits from its pretraining. The small one is random, so it learns them first,
from all 1,297 train labels: it stands in for pretraining, and no val picture is used. What is
trained is what Tandem reads of a teacher: the vision tower's tokens after the merger's norm,
averaged over the picture, with a linear head on top that is thrown away.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from tandem.spec.i18n import t
from tandem.train.demo import small_qwen
from tandem.train.demo.digits import CLASSES, Digits
from tandem.train.pretrained import packed_attention
from tandem.train.pretrained.qwen_tower import run_tower
from tandem.train.types import ProgressReporter, SilentProgress

PIXELS = 56
"""A side of what the teacher sees: 4 x 4 patches of 14 pixels."""
SHAPE = small_qwen.QwenShape(depth=2, hidden=96, full_attention=(0, 1), text_hidden=96)


@dataclass(frozen=True)
class TeacherRecipe:
    """How long and how hard; these reach 0.97 of val in about half a minute on two cores."""

    epochs: int = 30
    batch_size: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    label_smoothing: float = 0.1
    crop_scale_min: float = 0.8
    rotation_degrees: float = 8.0
    seed: int = 0


def make_teacher(
    folder: Path,
    digits: Digits,
    recipe: TeacherRecipe = TeacherRecipe(),
    progress: ProgressReporter = SilentProgress(),
) -> Path:
    """A checkpoint in `folder` that knows the digits; skipped when it is there already."""
    if folder.is_dir():
        return folder
    processor = small_qwen.build_processor(SHAPE.family)
    model = small_qwen.build_model(SHAPE, processor.tokenizer, recipe.seed)
    with _one_thread():
        _learn(model, processor.image_processor, digits, recipe, progress)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as hidden:
        made = Path(hidden) / folder.name
        with _quiet():
            model.save_pretrained(made)
        processor.save_pretrained(made)
        try:
            made.rename(folder)
        except OSError:  # another one was quicker; it was taught the same
            if not folder.is_dir():
                raise
    return folder


def pooled(model: Any, image_processor: Any, images_BCHW: Tensor) -> Tensor:
    """(B, D): what a probe is given of float images of 0 to 1 at PIXELS."""
    mean, std = (
        torch.tensor(value).view(3, 1, 1)
        for value in (image_processor.image_mean, image_processor.image_std)
    )
    seen = run_tower(model.model.visual, (images_BCHW - mean) / std)
    return seen.tokens_BHWD.mean(dim=(1, 2))


def _learn(
    model: Any,
    image_processor: Any,
    digits: Digits,
    recipe: TeacherRecipe,
    progress: ProgressReporter,
) -> None:
    packed_attention.choose(model.model.visual, torch.device("cpu"), torch.float32)
    random = torch.Generator().manual_seed(recipe.seed)
    images_NCHW = torch.from_numpy(digits.images_NHW[~digits.is_val_N])[:, None] / 255
    labels_N = torch.from_numpy(digits.labels_N[~digits.is_val_N])
    head = nn.Linear(SHAPE.hidden, len(CLASSES))
    nn.init.normal_(head.weight, std=0.02, generator=random)
    nn.init.zeros_(head.bias)
    learnt = [*model.model.visual.parameters(), *head.parameters()]
    steps = recipe.epochs * (len(labels_N) // recipe.batch_size)
    optimizer = torch.optim.AdamW(learnt, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.learning_rate, total_steps=steps, pct_start=0.15
    )
    model.train()
    for step, rows in enumerate(_batches(len(labels_N), steps, recipe.batch_size, random)):
        seen = _vary(images_NCHW[rows], recipe, random).expand(-1, 3, -1, -1)
        loss = functional.cross_entropy(
            head(pooled(model, image_processor, seen)),
            labels_N[rows],
            label_smoothing=recipe.label_smoothing,
        )
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(learnt, 1.0)
        optimizer.step()
        schedule.step()
        progress.progress(t("teaching the teacher"), step + 1, steps)
    model.eval()


def _batches(count: int, steps: int, size: int, random: torch.Generator) -> Iterator[Tensor]:
    """`steps` batches of row numbers: shuffled passes, the short last batch of each left out."""
    given = 0
    while given < steps:
        for rows in torch.randperm(count, generator=random).split(size):
            if len(rows) == size and given < steps:
                given += 1
                yield rows


def _vary(images_BCHW: Tensor, recipe: TeacherRecipe, random: torch.Generator) -> Tensor:
    """The pictures at PIXELS, each a little rotated and cropped somewhere; digits do not flip."""
    count = len(images_BCHW)
    area = 1 - (1 - recipe.crop_scale_min) * torch.rand(count, generator=random)
    side = area.sqrt()
    half_turn = (2 * torch.rand(count, generator=random) - 1) * recipe.rotation_degrees / 180
    cos, sin = (half_turn * torch.pi).cos() * side, (half_turn * torch.pi).sin() * side
    shift = (2 * torch.rand(count, 2, generator=random) - 1) * (1 - side)[:, None]
    rows = torch.stack([cos, -sin, shift[:, 0], sin, cos, shift[:, 1]], dim=1)
    grid = functional.affine_grid(
        rows.view(count, 2, 3), [count, 1, PIXELS, PIXELS], align_corners=False
    )
    return functional.grid_sample(images_BCHW, grid, align_corners=False)


@contextmanager
def _one_thread() -> Iterator[None]:
    """The tower's operations are so small that a second thread only waits for the first."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' bar over the one file that is written."""
    from transformers.utils import logging

    had_bar = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if had_bar:
            logging.enable_progress_bar()
