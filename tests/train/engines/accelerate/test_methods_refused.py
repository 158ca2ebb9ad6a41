"""A method that a run cannot use is refused in one sentence, before the teacher is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.train.engines.runs import run_here


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"loss__soft_loss": "cwd"}, "The loss cwd is for segmentation, not for classification."),
        (
            {"loss__feature_loss": "similarity"},
            "At 32 px this student has a single cell, and the loss feature_similarity compares",
        ),
        ({"loss__feature_loss": "cwd"}, "and the loss feature_cwd compares cells."),
    ],
)
def test_it_is_said_why(spec_of, tmp_path: Path, capsys, changes, said):
    spec = spec_of(**changes)
    assert run_here(spec, tmp_path) == 2
    captured = capsys.readouterr()
    assert said in captured.out + captured.err
    assert not list((tmp_path / "cache").rglob("*.safetensors"))
