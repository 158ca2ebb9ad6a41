"""What a run will take, told before it is started."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tandem.spec.run import CacheSpec, RunSpec, StudentSpec, TeacherSpec
from tandem.train.cache import SourceRequest, SourceSetup, WantedSignals, kept_bytes
from tandem.train.cache.dense import whole_views
from tandem.train.cache.teacher_calls import TeacherCalls
from tandem.train.kinds.teacher_views import TeacherViews
from tandem.train.pipeline.costs import costs_of
from tandem.train.registry import find
from tandem.train.types import ImageTable
from tests.conftest import Specs
from tests.train.engines.runs import run_here

TOWER_7B = {
    "model_type": "qwen2_5_vl",
    "vision_config": {
        "model_type": "qwen2_5_vl",
        "depth": 32,
        "hidden_size": 1280,
        "intermediate_size": 3420,
        "num_heads": 16,
        "out_hidden_size": 3584,
        "patch_size": 14,
        "spatial_patch_size": 14,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "window_size": 112,
        "fullatt_block_indexes": [7, 15, 23, 31],
        "in_chans": 3,
        "hidden_act": "silu",
    },
}
"""As Qwen2.5-VL-7B-Instruct's config.json has it."""


def files_of(folder: Path) -> int:
    return sum(one.stat().st_size for one in folder.rglob("shard-*.npy"))


def test_what_is_told_is_what_the_run_does(spec_of: Specs, tmp_path: Path) -> None:
    spec = spec_of(
        optim__epochs=3,
        views={"source": "dense"},
        cache__verify_samples=0,
        report={"tensorboard": False, "baseline": True},
    )
    told = costs_of(RunSpec.model_validate(spec))
    assert not list((tmp_path / "cache").rglob("shard-*")), "nothing is asked for yet"
    assert not (tmp_path / "run").exists()
    assert told.teacher_seconds > 0
    assert told.training_seconds > 0
    assert 0 < told.evaluation_seconds < told.training_seconds
    # The baseline takes as many steps, and is evaluated as often.
    assert told.baseline_seconds == pytest.approx(told.training_seconds + told.evaluation_seconds)
    assert told.seconds > 2 * told.training_seconds
    assert run_here(spec, tmp_path) == 0
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["teacher"]["forwards"] == told.teacher_looks
    written = files_of(tmp_path / "cache")
    heads = 128 * sum(1 for _ in (tmp_path / "cache").rglob("shard-*.npy"))
    assert written - heads == told.cache_bytes
    warm = costs_of(RunSpec.model_validate(spec))
    assert warm.teacher_looks == warm.teacher_seconds == 0
    assert warm.cache_bytes == told.cache_bytes


def test_a_run_without_a_teacher_costs_its_training(spec_of: Specs) -> None:
    one = costs_of(RunSpec.model_validate(spec_of(mode="direct", teacher=None)))
    assert one.teacher_looks == one.cache_bytes == one.baseline_seconds == 0
    assert one.memory_megabytes > 0


def test_a_hundred_thousand_images_of_the_7b_tower_fit_four_gigabytes(tmp_path: Path) -> None:
    """By the configurations of teacher and student alone: no weight of the tower is read."""
    (tmp_path / "config.json").write_text(json.dumps(TOWER_7B))
    normalised = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(normalised))
    save_file({"visual.none": torch.zeros(1)}, tmp_path / "model.safetensors")
    cpu = torch.device("cpu")
    teacher = find("teachers", "qwen_vl").make(TeacherSpec(path=str(tmp_path)), cpu)
    student = find("students", "resnet").make(StudentSpec(size="resnet50"), 10, 224)
    hashes = np.random.default_rng(0).integers(0, 256, (100_000, 16), dtype=np.uint8)
    classes = tuple("0123456789")
    names, labels = np.zeros(len(hashes), "S1"), np.zeros(len(hashes), np.int64)
    table = ImageTable(tmp_path, names, labels, hashes, classes)
    views = TeacherViews(dense=True)
    wanted = views.wanted(WantedSignals(tokens=True, grid=student.tokens_grid))
    request = SourceRequest(table, whole_views(table), 1, wanted)
    setup = SourceSetup(CacheSpec(root=tmp_path / "cache"), cpu, 16, 10**8)
    size = kept_bytes(TeacherCalls(teacher, request, setup))
    # 1,280 numbers of the mean, 7 x 7 tokens of 256 in half precision, and a key.
    assert size == 100_000 * (1280 * 4 + 18 + 49 * 256 * 2 + 18)
    assert size <= 4e9
    smaller = replace(setup, cache=setup.cache.model_copy(update={"dtype": "int8"}))
    assert kept_bytes(TeacherCalls(teacher, request, smaller)) < 2e9
