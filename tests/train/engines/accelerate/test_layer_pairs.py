"""Whether student and teacher can be compared, said before the teacher learns or is asked."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tandem.spec.errors import SpecError
from tandem.spec.run import RunSpec
from tandem.train.engines.accelerate.layer_pairs import check_fit, must_fit, teacher_layers
from tandem.train.engines.accelerate.loss_terms import chosen
from tandem.train.types import Student, Teacher
from tests.conftest import Specs
from tests.train.kinds.said import refusal


def spec(dims: int | None = 512, layers: tuple[int, ...] = (), **loss: object) -> RunSpec:
    return RunSpec.model_validate(
        {
            "task_id": "t",
            "data": {"dataset": "d"},
            "teacher": {"path": "/t", "layers": list(layers)},
            "loss": loss,
            "cache": {"dims": dims},
            "run": {"output_dir": "/o"},
        }
    )


def fit(asked: RunSpec, student: int, teacher: int, stages: tuple[int, ...] = ()) -> None:
    small = SimpleNamespace(tokens_width=student, layer_widths=stages)
    large = SimpleNamespace(width=teacher, layer_count=6, layers=())
    check_fit(asked, cast(Student, small), chosen(asked), cast(Teacher, large))


def says(asked: RunSpec, *widths: Any) -> str:
    with pytest.raises(SpecError) as caught:
        fit(asked, *widths)
    return str(caught.value)


BARE = {"align_feature": False}


def test_equal_widths_need_no_projector() -> None:
    fit(spec(**BARE), 512, 512)
    fit(spec(**BARE), 512, 768)  # the cache keeps 512 of 768 components
    fit(spec(dims=None, **BARE), 768, 768)
    assert must_fit(spec(**BARE), chosen(spec(**BARE)))
    assert not must_fit(spec(), chosen(spec()))
    logits = spec(distillation_type="logit", **BARE)
    assert not must_fit(logits, chosen(logits))


@pytest.mark.parametrize(("student", "teacher"), [(192, 768), (192, 300), (600, 768)])
def test_the_advice_on_the_cache_works(student: int, teacher: int) -> None:
    assert f"or cache.dims to {student}" in says(spec(**BARE), student, teacher)
    fit(spec(dims=student, **BARE), student, teacher)


@pytest.mark.parametrize(("student", "teacher"), [(512, 64), (2048, 768)])
def test_a_narrower_teacher_leaves_one_way(student: int, teacher: int) -> None:
    said = says(spec(**BARE), student, teacher)
    assert "--align_feature) to true." in said
    assert "cache.dims" not in said
    fit(spec(), student, teacher)


def test_stages_of_different_widths_leave_one_way() -> None:
    asked = spec(intermediate_weight=1.0, **BARE)
    said = says(asked, 512, 768, (64, 128, 256, 512))
    assert "64 and 512 wide" in said
    assert "cache.dims" not in said


def test_layers_must_pair_off() -> None:
    both = spec(layers=(1, 2), intermediate_weight=1.0, intermediate_layers=[0, 1, 2])
    assert "names 3 student layers, teacher.layers 2" in says(both, 8, 8, (8, 8, 8))
    many = spec(intermediate_weight=1.0, intermediate_layers=list(range(7)))
    assert "7 student layers, and the teacher has 6 layers" in says(many, 8, 8, (8,) * 7)
    five = spec(intermediate_weight=1.0, intermediate_layers=list(range(5)))
    fit(five, 8, 8, (8,) * 5)  # as many of the teacher's as were named, however many
    large = cast(Teacher, SimpleNamespace(layer_count=6))
    small = cast(Student, SimpleNamespace(layer_widths=(8,) * 5))
    assert len(teacher_layers(five, small, large)) == 5


def test_a_run_says_it_before_its_teacher_is_asked(
    spec_of: Specs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cache = tmp_path / "cache"
    asked = spec_of(loss=BARE, cache={"root": str(cache)})
    said = refusal(asked, tmp_path, capsys)
    assert "Without a projector" in said
    assert not [one for one in cache.rglob("*") if one.is_file() and "index" not in one.parts]
