"""However a run is cut or its teacher asked, it learns the same."""

import pytest

from tests.train.engine.runs import events, run_here, start

CHANGES = {
    "data__image_size": 64,
    "optim__batch_size": 16,
    "optim__epochs": 2,
    "loss__attention_weight": 1.0,
}


def losses(spec: dict) -> list[float]:
    return [one["train_loss"] for one in events(spec, "epoch")]


def ended(spec_of, tmp_path, name: str, **changes) -> list[float]:
    spec = spec_of(**(CHANGES | changes))
    spec["run"]["output_dir"] = str(tmp_path / name)
    assert run_here(spec, tmp_path) == 0
    return losses(spec)


def test_two_processes_learn_what_one_does(spec_of, tmp_path):
    # Plain SGD without clipping: AdamW would hide gradients that are twice too small.
    plain = {
        "optim__optimizer": "sgd",
        "optim__learning_rate": 0.01,  # a higher one magnifies rounding past 1e-3 in two epochs
        "optim__max_grad_norm": 0,
    }
    alone = ended(spec_of, tmp_path, "alone", **plain)
    spec = spec_of(**CHANGES, **plain)
    spec["run"] |= {"output_dir": str(tmp_path / "both"), "processes": 2}
    process = start(spec, tmp_path)
    output, _ = process.communicate()
    assert process.returncode == 0, output
    assert events(spec, "started")[0]["processes"] == 2
    assert losses(spec) == pytest.approx(alone, abs=1e-3)


def test_the_teacher_online_gives_the_loss_of_the_cached_one(spec_of, tmp_path):
    cached = ended(spec_of, tmp_path, "cached")
    online = ended(spec_of, tmp_path, "online", cache__mode="off")
    assert online == pytest.approx(cached, abs=1e-3)


def test_accumulated_batches_make_one_step(spec_of, tmp_path):
    # A ViT: batch norm sees the small batches, so a ResNet may differ.
    vit = {"student": {"type": "vit", "size": "vit-tiny"}, "views__crop_scale_min": 1.0}
    whole = ended(spec_of, tmp_path, "whole", **vit, optim__batch_size=48)
    parts = ended(
        spec_of, tmp_path, "parts", **vit, optim__batch_size=16, optim__grad_accum_steps=3
    )
    assert parts[0] == pytest.approx(whole[0], abs=1e-3)
