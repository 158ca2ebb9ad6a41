"""However a run is cut or its teacher asked, it learns the same."""

import json
from pathlib import Path

import pytest

from tests.train.engines.runs import events, run_here

CHANGES = {
    "data__image_size": 64,
    "optim__batch_size": 16,
    "optim__epochs": 2,
    "loss__attention_weight": 1.0,
}

# Plain SGD without clipping: AdamW would hide gradients that are twice too small.
PLAIN = {
    "optim__optimizer": "sgd",
    "optim__learning_rate": 0.01,  # a higher one magnifies rounding past 1e-3 in two epochs
    "optim__max_grad_norm": 0,
}


def said(run: Path, kind: str) -> list[dict]:
    return events({"run": {"output_dir": str(run)}}, kind)


def ended(spec_of, tmp_path, name: str, **changes) -> list[float]:
    spec = spec_of(**(CHANGES | changes))
    spec["run"]["output_dir"] = str(tmp_path / name)
    assert run_here(spec, tmp_path) == 0
    return [one["train_loss"] for one in said(tmp_path / name, "epoch")]


def test_two_processes_learn_what_one_does(spec_of, tmp_path):
    alone = ended(spec_of, tmp_path, "alone", **PLAIN)
    both = ended(spec_of, tmp_path, "both", **PLAIN, run__processes=2)
    [started] = said(tmp_path / "both", "started")
    assert started["processes"] == 2
    assert both == pytest.approx(alone, abs=1e-3)
    assert answered(tmp_path / "both") == answered(tmp_path / "alone")


def answered(run: Path) -> list[tuple[int, str, str]]:
    """Each sample's place, name and true class, in the order of the file."""
    lines = (run / "predictions.jsonl").read_text().splitlines()[1:]
    read = [json.loads(line) for line in lines]
    assert [one["index"] for one in read] == list(range(len(read)))
    return [(one["index"], one["name"], one["truth"]["label"]) for one in read]


def test_the_teacher_online_gives_the_loss_of_the_cached_one(spec_of, tmp_path):
    # Whole images alone: of an online teacher the others are drawn afresh in each epoch.
    cached = ended(spec_of, tmp_path, "cached", views__count=1)
    online = ended(spec_of, tmp_path, "online", cache__mode="off", views__count=1)
    assert online == pytest.approx(cached, abs=1e-3)


def test_accumulated_batches_make_one_step(spec_of, tmp_path):
    # A ViT: batch norm sees the small batches, so a ResNet may differ.
    vit = {
        "student": {"type": "vit", "size": "vit-tiny"},
        "data__image_size": 32,
        "views__crop_scale_min": 1.0,
        **PLAIN,
    }
    whole = ended(spec_of, tmp_path, "whole", **vit, optim__batch_size=48)
    parts = ended(
        spec_of, tmp_path, "parts", **vit, optim__batch_size=16, optim__grad_accum_steps=3
    )
    assert parts == pytest.approx(whole, abs=1e-3)  # the second epoch learnt from the first's step
