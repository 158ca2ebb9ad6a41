"""What the teacher is asked about, so that it can be followed in every view of an image."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tandem.train.knowledge.label_scoring import LabelScoring
from tests.conftest import Specs, make_clips
from tests.train.engines.runs import events, run_here


def asked(spec: dict) -> dict:
    return json.loads((Path(spec["run"]["output_dir"]) / "report.json").read_text())["teacher"]


def said(spec: dict) -> str:
    return "\n".join(one["message"] for one in events(spec, "notice"))


def test_one_look_at_each_image_teaches_all_views_of_all_runs(
    spec_of: Specs, tmp_path: Path
) -> None:
    first = spec_of(optim__epochs=2, views={"source": "dense"}, cache__verify_samples=0)
    assert run_here(first, tmp_path) == 0
    images = sum(one["samples"] for one in events(first, "evaluation") if one["who"] == "teacher")
    data = Path(first["data"]["dataset"])
    images += sum(1 for _ in [*data.glob("train/*/*"), *data.glob("unlabeled/*")])
    assert asked(first)["forwards"] == images
    assert "looks once at each whole image" in said(first)
    again = spec_of(
        optim__epochs=1,
        views={"source": "dense", "crop_scale_min": 0.4},
        cache__verify_samples=0,
        loss={"distillation_type": "logit"},
    )
    again["run"]["output_dir"] = str(tmp_path / "again")
    assert run_here(again, tmp_path) == 0
    assert asked(again)["forwards"] == 0


@pytest.mark.parametrize(("views", "share"), [("first", 1), ("every", 3)])
def test_label_scoring_asks_about_the_whole_image_unless_told_otherwise(
    spec_of: Specs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, views: str, share: int
) -> None:
    scored: list[int] = []
    scores = LabelScoring.signals

    def counted(self, images_BCHW):
        scored.append(len(images_BCHW))
        return scores(self, images_BCHW)

    monkeypatch.setattr(LabelScoring, "signals", counted)
    spec = spec_of(
        optim__epochs=1,
        teacher__knowledge="label_scoring",
        teacher__scored_views=views,
        views={"count": 3, "source": "frozen"},
        cache__verify_samples=0,
    )
    assert run_here(spec, tmp_path) == 0
    data = Path(spec["data"]["dataset"])
    train = sum(1 for _ in [*data.glob("train/*/*"), *data.glob("unlabeled/*")])
    val = sum(1 for _ in data.glob("val/*/*"))
    assert sum(scored) == share * train + val


def test_dense_is_refused_where_a_view_is_no_crop(spec_of: Specs, tmp_path: Path) -> None:
    clips = make_clips(tmp_path / "clips")
    spec = spec_of(kind="sequence", student={"type": "lstm"}, data__dataset=str(clips))
    spec["views"] = {"source": "dense"}
    assert run_here(spec, tmp_path) != 0
    assert "no crop of one image" in json.dumps(events(spec))
