"""What holds for every registered kind."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from tandem.data.registry import formats
from tandem.spec import run
from tandem.spec.errors import StudentError
from tandem.spec.model import ModelConfig
from tandem.spec.run import KindName
from tandem.spec.run.knobs import PLUGIN_NAMES
from tandem.train import kinds
from tandem.train.kinds.base import TableKind
from tandem.train.kinds.one_class import OneClassKind
from tandem.train.registry import entries
from tandem.train.types import Batch, ImageTable, StepOutput
from tests.conftest import Specs

KINDS = sorted(entries("kinds"))


def table(classes: int = 3, rows: int = 12) -> ImageTable:
    return ImageTable(
        Path(), np.array([b"x"] * rows), np.arange(rows) % classes,
        np.arange(rows * 16, dtype=np.uint8).reshape(rows, 16), tuple("abcdefgh"[:classes]),
    )  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_a_run_can_ask_for_it_and_people_are_told_what_it_is(name: str) -> None:
    assert TypeAdapter(KindName).validate_python(name) == name
    assert all(entries("kinds")[name].title), "title, in both languages"
    assert entries("kinds")[name].about
    assert entries("kinds")[name].zh


def test_no_other_kind_can_be_asked_for() -> None:
    assert PLUGIN_NAMES["kind"].names() == set(KINDS)
    with pytest.raises(ValidationError):
        TypeAdapter(KindName).validate_python("nothing")


@pytest.mark.parametrize("name", KINDS)
def test_something_learns_it_and_some_layout_holds_it(name: str) -> None:
    assert any(name in one.kinds for one in entries("students").values()), "a student's kinds"
    assert any(name in one.kinds for one in formats().values()), "a layout's kinds"


@pytest.mark.parametrize("name", KINDS)
def test_each_asking_gives_a_fresh_one_of_that_name(name: str) -> None:
    assert kinds.find(name).name == name
    assert kinds.find(name) is not kinds.find(name)


@pytest.mark.parametrize("name", KINDS)
def test_a_plain_spec_is_right_for_it(name: str, spec_of: Specs, tmp_path: Path) -> None:
    kind = kinds.find(name)
    spec = run.RunSpec.model_validate(json.loads(json.dumps(spec_of(), default=str)))
    kind.check(spec)
    adapted = spec.model_copy(update={"lora": spec.lora.model_copy(update={"rank": 4})})
    bare = kind.without_adapter(adapted)
    assert (bare is None) == kind.adapts_teacher
    assert bare is None or bare.lora.rank == 0


@pytest.mark.parametrize("name", KINDS)
def test_its_loss_on_labels_is_one(name: str) -> None:
    kind = kinds.find(name)
    if isinstance(kind, TableKind):
        assert "labels" in entries("losses")[kind.hard_loss].needs


@pytest.mark.parametrize("name", KINDS)
def test_right_answers_are_worth_1_and_wrong_ones_less(name: str) -> None:
    kind = kinds.find(name)
    if not isinstance(kind, OneClassKind):
        pytest.skip("what is right is more than a class: see its own tests")
    rows = table()
    labels_N = torch.from_numpy(rows.labels_N)
    index_N = np.arange(len(rows))
    batch = Batch(torch.empty(0), labels_N, index_N, np.zeros_like(index_N))
    worth = []
    for shift in (0, 1):
        scores_NK = torch.nn.functional.one_hot((labels_N + shift) % 3, 3).float() * 9
        output = StepOutput(scores_NK, scores_NK)
        accumulator = kind.evaluator(rows)
        for part in (slice(0, 5), slice(5, None)):
            cut = StepOutput(scores_NK[part], scores_NK[part])
            some = Batch(torch.empty(0), labels_N[part], index_N[part], index_N[part] * 0)
            accumulator.add(index_N[part], cut, some)
        result = accumulator.result([accumulator.part(), None])
        assert result.metrics[kind.primary_metric_name] == result.primary_metric
        assert len(result.scores_N) == len(rows)
        assert bool((kind.correct(output, batch) == 1).all()) == (shift == 0)
        worth.append(result.primary_metric)
    assert worth[0] == 1
    assert worth[1] < 1


@pytest.mark.parametrize("name", KINDS)
def test_a_trained_model_of_it_can_be_asked(name: str) -> None:
    from tandem.predict.kinds import processor_for

    config = ModelConfig(
        tandem_version="0", kind=name, student=run.StudentSpec(), classes=["a", "b"],
        image_size=64, mean=[0.5] * 3, std=[0.5] * 3,
    )  # fmt: skip
    refused = ""
    try:
        processor_for(config, None)
    except StudentError as error:  # its further files, such as a tokenizer, are not there
        refused = str(error)
    assert "cannot be asked here" not in refused, "predict.kinds.processor_for"
