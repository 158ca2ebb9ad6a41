"""A wrong spec is one sentence: the field, what it got, what is allowed."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tandem.spec.errors import SpecError
from tandem.spec.run.check import default_of, paths, run_spec
from tandem.spec.run.legacy import put

GOOD: dict[str, Any] = {
    "task_id": "t",
    "data": {"dataset": "d"},
    "teacher": {"path": "/t"},
    "run": {"output_dir": "/o"},
}


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("optim.epochs", 0, "optim.epochs must be at least 1. Got: 0."),
        ("optim.epochs", 100_001, "optim.epochs must be at most 100000. Got: 100001."),
        ("optim.epochs", "many", "optim.epochs must be a whole number. Got: many."),
        ("optim.learning_rate", -1, "optim.learning_rate must be greater than 0. Got: -1."),
        ("optim.learning_rate", "nan", "optim.learning_rate must be a finite number. Got: nan."),
        (
            "loss.align_feature",
            "perhaps",
            "loss.align_feature must be true or false. Got: perhaps.",
        ),
        ("optim.optimizer", "lion", "Got: lion. Allowed: adamw, adam, sgd, adagrad."),
        ("run.devices", "tpu", "run.devices must be one of those allowed. Got: tpu."),
        ("run.devices", "tpu", "Allowed: auto, cpu, GPU numbers such as 0,1."),
        ("run.devices", [-1], "run.devices must be at least 0. Got: -1."),
        ("optim.epoch", 3, "optim.epoch is not a known setting; did you mean optim.epochs?"),
        ("epochs", 3, "epochs is not a known setting; did you mean optim.epochs?"),
        ("loss.learning_rate", 1, "did you mean optim.learning_rate?"),
        ("task_id", "a/b", "task_id: letters, digits,"),
        ("data.dataset", None, "data.dataset must be a text."),
        ("teacher", {}, "distillation needs teacher.name or teacher.path"),
    ],
)
def test_says_which_field_and_what_is_allowed(path: str, value: object, says: str) -> None:
    tree = copy.deepcopy(GOOD)
    put(tree, path, value)
    with pytest.raises(SpecError) as caught:
        run_spec(tree)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_names_a_missing_field() -> None:
    tree = copy.deepcopy(GOOD)
    del tree["run"]["output_dir"]
    with pytest.raises(SpecError, match="run.output_dir is missing"):
        run_spec(tree)


def test_uses_the_name_the_person_typed() -> None:
    tree = {**copy.deepcopy(GOOD), "optim": {"epochs": 0}}
    with pytest.raises(SpecError, match="^--epochs must be at least 1"):
        run_spec(tree, {"optim.epochs": "--epochs"})


def test_counts_what_it_leaves_out() -> None:
    bad = {"epochs": 0, "batch_size": 0, "learning_rate": 0, "momentum": 1, "optimizer": "x"}
    with pytest.raises(SpecError, match="And 2 more") as caught:
        run_spec({**copy.deepcopy(GOOD), "optim": bad})
    assert "optim.learning_rate" in str(caught.value)
    assert "optim.momentum" not in str(caught.value)


def test_text_from_a_command_line_becomes_numbers_and_truths() -> None:
    optim = {"epochs": "3", "learning_rate": "1e-4"}
    tree = {**copy.deepcopy(GOOD), "optim": optim, "loss": {"align_feature": "False"}}
    spec = run_spec(tree)
    assert (spec.optim.epochs, spec.optim.learning_rate) == (3, 1e-4)
    assert spec.loss.align_feature is False


def test_every_path_has_a_place() -> None:
    known = paths()
    assert {"optim", "optim.epochs", "teacher.layers", "run.output_dir"} <= known.keys()
    assert default_of("optim.epochs") == "100"
    assert default_of("task_id") == ""
