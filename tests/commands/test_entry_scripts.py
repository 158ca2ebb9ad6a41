"""The two scripts at the root, as existing services start them: as child processes.

Where the process itself is not what matters, the script's file runs in this one.
"""

from __future__ import annotations

import json
import os
import re
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import make_texts
from tests.train.engines.runs import measured_once

Run = Callable[[Path, dict[str, object]], tuple[int, str, str]]

ROOT = Path(__file__).parents[2]
QWEN = ROOT / "train_qwen_vl_distillation.py"
TEXT = ROOT / "train_distillation.py"
SECONDS = 200


def words(flags: dict[str, object]) -> list[str]:
    return [word for name, value in flags.items() for word in (f"--{name}", str(value))]


def start(script: Path, flags: dict[str, object]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(script), *words(flags)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
    )


def finish(child: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = child.communicate(timeout=SECONDS)
    return child.returncode, out, err


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """The script in this process: exit code, standard output and error."""

    def ended(script: Path, flags: dict[str, object]) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", [str(script), *words(flags)])
        capfd.readouterr()
        with measured_once(), pytest.raises(SystemExit) as ending:
            runpy.run_path(str(script), run_name="__main__")
        said = capfd.readouterr()
        assert isinstance(ending.value.code, int)
        return ending.value.code, said.out, said.err

    return ended


@pytest.fixture
def flags(shapes: Path, small_teacher: Path, tmp_path: Path) -> dict[str, object]:
    """The specification's own command (shared/contract/examples.md), made small."""
    return {
        "task_id": "test_resnet50",
        "teacher_model": "qwen2.5-vl-8b",
        "student_model": "resnet18",
        "teacher_path": small_teacher,
        "student_model_type": "resnet",
        "student_model_size": "resnet18",
        "task_type": "classification",
        "num_classes": 3,
        "dataset_id": shapes.name,
        "datasets_root": shapes.parent,
        "image_size": 32,
        "epochs": 3,
        "batch_size": 16,
        "learning_rate": 0.0001,
        "optimizer": "adamw",
        "lr_scheduler": "cosine",
        "distillation_type": "hybrid",
        "hard_label_weight": 0.5,
        "soft_label_weight": 0.5,
        "feature_loss_type": "cosine",
        "align_feature": True,
        "gpu_devices": "cpu",
        "output_dir": tmp_path / "training_output" / "test_resnet50",
    }


def said(folder: Path, kind: str) -> int:
    events = folder / "events.jsonl"
    return events.read_text().count(f'"type":"{kind}"') if events.is_file() else 0


def test_trains_stops_on_sigterm_and_goes_on(flags: dict[str, object], run: Run) -> None:
    output = Path(str(flags["output_dir"]))
    child = start(QWEN, flags)
    end = time.monotonic() + SECONDS
    while not said(output, "epoch"):
        assert child.poll() is None, finish(child)
        assert time.monotonic() < end
        time.sleep(0.01)
    child.send_signal(signal.SIGTERM)
    code, _, err = finish(child)
    assert code == 75, err
    assert not (output / "final_model").exists()
    code, _, err = run(QWEN, flags)
    assert code == 0, err
    assert (output / "final_model" / "model.safetensors").is_file()
    assert said(output, "epoch") == 3
    spec = json.loads((output / "spec.json").read_text())
    assert spec["loss"]["feature_loss"] == "cosine"
    assert spec["teacher"]["name"] == "qwen2.5-vl-8b"


BAD_INPUT = {
    "There is no flag --epoch; did you mean --epochs?": {"epoch": 3},
    "--epochs must be at least 1. Got: 0.": {"epochs": 0},
    "7": {"num_classes": 7},
    "nowhere": {"dataset_id": "nowhere"},
    "/nowhere/model": {"teacher_path": "/nowhere/model"},
    "--gpu_devices cpu": {"gpu_devices": "63"},
}


def is_refused(ended: tuple[int, str, str], says: str, flags: dict[str, object]) -> None:
    code, _, err = ended
    assert code == 2
    assert says in err
    assert len(err.strip().splitlines()) == 1
    assert not (Path(str(flags["output_dir"])) / "final_model").exists()


@pytest.mark.parametrize("says", BAD_INPUT)
def test_bad_input_is_one_line_and_2(flags: dict[str, object], says: str, run: Run) -> None:
    is_refused(run(QWEN, flags | BAD_INPUT[says]), says, flags)


@pytest.mark.parametrize("says", ["--epochs must be at least 1. Got: 0.", "7"])
def test_a_child_says_it_so_before_and_after_it_loads_torch(
    flags: dict[str, object], says: str
) -> None:
    is_refused(finish(start(QWEN, flags | BAD_INPUT[says])), says, flags)


def test_the_text_example_trains_a_small_bert(tmp_path: Path, run: Run) -> None:
    """Nothing but names tells it from the image case."""
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    from tandem.train.data.tokens import learnt

    make_texts(tmp_path / "datasets" / "1")
    teacher = tmp_path / "models" / "bert-base-uncased"
    tokens = learnt(["the film was great lovely fine awful poor sad a day in this town"] * 2)
    BertModel(
        BertConfig(vocab_size=tokens.words, hidden_size=16, num_hidden_layers=2,
                   num_attention_heads=2, intermediate_size=32)
    ).save_pretrained(teacher)  # fmt: skip
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]",
               "sep_token": "[SEP]", "mask_token": "[MASK]"}  # fmt: skip
    PreTrainedTokenizerFast(tokenizer_object=tokens.tokenizer, **special).save_pretrained(teacher)
    flags = {
        "task_id": "TEST",
        "teacher_model": "bert-base",
        "student_model": "student",
        "teacher_path": teacher,
        "dataset_id": 1,
        "datasets_root": tmp_path / "datasets",
        "epochs": 1,
        "lora_rank": 2,
        "lora_target_modules": "q_proj,v_proj",  # as the guide writes them; BERT's are query, value
        "output_dir": tmp_path / "training_output" / "test",
    }
    code, out, err = run(TEXT, flags)
    assert code == 0, err
    assert "The adapted teacher is right on" in out
    assert "q_proj → query" in out + err
    assert not re.search("picture|images?\\b", out)  # what it learns from are texts
    config = json.loads((flags["output_dir"] / "final_model" / "config.json").read_text())
    assert (config["kind"], config["student"]["size"]) == ("text", "bert-small")


@pytest.mark.parametrize("script", [QWEN, TEXT], ids=["qwen", "text"])
def test_what_is_missing_is_named(script: Path) -> None:
    code, _, err = finish(start(script, {"task_id": "x"}))
    assert code == 2
    assert "--student_model, --dataset_id, --output_dir, --teacher_model" in err
