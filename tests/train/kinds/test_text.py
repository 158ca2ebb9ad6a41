"""BERT on short texts, English and Chinese: alone, from a fine-tuned teacher, from a bare one."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tandem.commands.runs.train import distillation_script
from tandem.spec.run import RunSpec, StudentSpec
from tandem.train import kinds
from tandem.train.data.tokens import from_folder
from tandem.train.export import final_model
from tandem.train.kinds.text import TextKind
from tandem.train.registry import find
from tandem.train.teachers.hf_text import HfTextTeacher
from tandem.train.types import SilentProgress
from tests.conftest import Specs
from tests.train.engines.runs import events, run_here
from tests.train.kinds.said import model, refusal, report

MARGIN = 0.3
"""Of accuracy, above a coin."""


def bert(spec_maker: Specs, data: Path, **changes: object) -> dict:
    return spec_maker(
        **{
            "data": {"dataset": str(data)},
            "student": {"type": "bert", "size": "mini"},
            "optim": {"epochs": 2, "batch_size": 16, "learning_rate": 5e-4},
            **changes,
        }
    )


def accuracy(spec: dict, whose: str = "student") -> float:
    return report(spec)[whose]["measured"]["metrics"]["accuracy"]


def test_a_bert_without_a_teacher_beats_chance(direct: Specs, texts: Path, tmp_path: Path) -> None:
    spec = bert(direct, texts, optim__epochs=6)
    assert run_here(spec, tmp_path) == 0
    assert report(spec)["spec"]["kind"] == "text"
    assert accuracy(spec) > 0.5 + MARGIN
    _reads_what_it_was_taught(model(spec))


def _reads_what_it_was_taught(folder: Path) -> None:
    """The folder alone is enough: weights, config and tokenizer."""
    student, config = final_model.load(folder)
    tokens = from_folder(folder)
    ids = torch.from_numpy(tokens.encode(["great 喜欢 day", "awful 讨厌 day"], [None, None], 16))
    with torch.no_grad():
        said = student(ids.long()).logits_BK.argmax(-1).tolist()
    assert [config.classes[one] for one in said] == ["positive", "negative"]


def test_a_tuned_teachers_classes_are_found_by_name(
    spec_of: Specs, texts: Path, tuned: Path, tmp_path: Path
) -> None:
    """Its head has them in the other order: shifted, it would be right where it is wrong."""
    spec = bert(spec_of, texts, teacher={"path": str(tuned)}, optim__epochs=8)
    assert run_here(spec, tmp_path) == 0
    found = report(spec)
    assert found["data"]["classes"] == ["negative", "positive"]
    assert accuracy(spec, "teacher") > 0.5 + MARGIN
    assert accuracy(spec) > 0.5 + MARGIN
    assert found["teacher"]["knowledge"] == "own"
    told = [one["terms"]["feature_mse"] for one in events(spec, "epoch")]
    assert told[0] > told[-1] > 0


def test_a_bare_teacher_is_asked_by_a_probe(
    spec_of: Specs, texts: Path, bare: Path, tmp_path: Path
) -> None:
    spec = bert(
        spec_of,
        texts,
        teacher={"path": str(bare), "layers": [0]},
        loss={"attention_weight": 0.1, "intermediate_weight": 0.1},
    )
    assert run_here(spec, tmp_path) == 0
    assert report(spec)["teacher"]["knowledge"] == "probe"
    for one in events(spec, "epoch"):
        assert all(np.isfinite(value) and value > 0 for value in one["terms"].values())
        assert len(one["terms"]) >= 4


def test_lora_teaches_the_teacher_first(
    spec_of: Specs, texts: Path, bare: Path, tmp_path: Path
) -> None:
    spec = bert(
        spec_of,
        texts,
        teacher={"path": str(bare), "knowledge": "lora"},
        lora={"rank": 4, "epochs": 1},
        optim__epochs=1,
    )
    assert run_here(spec, tmp_path) == 0
    assert report(spec)["teacher"]["knowledge"] == "lora"


def test_padding_never_changes_the_logits(bare: Path) -> None:
    torch.manual_seed(0)
    spec = StudentSpec(type="bert", size="bert-mini", vocab_size=from_folder(bare).words)
    student = find("students", "bert").make(spec, 2, 16).eval()
    tokens = from_folder(bare)
    given = ["great film", "the film was a day in this town with some people 我 觉得"]
    short, long = (
        torch.from_numpy(tokens.encode(given, [None] * 2, length)).long() for length in (20, 90)
    )
    with torch.no_grad():
        one, other = student(short), student(long)
        alone = student(short[:1])
    torch.testing.assert_close(one.logits_BK, other.logits_BK)
    torch.testing.assert_close(one.logits_BK[:1], alone.logits_BK)
    torch.testing.assert_close(one.tokens_BHWD, other.tokens_BHWD[:, :20])
    assert not other.tokens_BHWD[0, 10:].any()


def read(data: Path, **student: object) -> tuple[TextKind, RunSpec, object]:
    spec = RunSpec.model_validate(
        {
            "task_id": "x",
            "mode": "direct",
            "data": {"dataset": str(data)},
            "student": {"type": "bert", "size": "mini", **student},
            "run": {"output_dir": "/nowhere"},
        }
    )
    kind = kinds.find("text")
    assert isinstance(kind, TextKind)
    splits = kind.read(spec, None, SilentProgress())
    return kind, kind.complete(spec, splits), splits


def test_what_is_longer_than_max_tokens_is_cut_and_said(texts: Path) -> None:
    _, spec, splits = read(texts, max_tokens=8)
    assert splits.train.ids_N3L.shape[1:] == (3, 8)
    assert spec.student.max_tokens == 8
    assert any("8 tokens" in note and "cut" in note for note in splits.notes)
    _, spec, splits = read(texts)
    assert not splits.notes
    assert 8 < spec.student.max_tokens < 128


@pytest.mark.parametrize("encoding", ["gbk", "utf-8-sig", "utf-8"])
def test_chinese_csv_in_any_common_encoding(encoding: str, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for split in ("train", "val"):
        with (data / f"{split}.csv").open("w", encoding=encoding, newline="") as file:
            table = csv.writer(file)
            table.writerow(["text", "label"])
            for number in range(6):
                table.writerow([f"这个地方很好，第{number}次 {split}", "好评"])
                table.writerow([f"服务态度太差了，第{number}次 {split}", "差评"])
    kind, _, splits = read(data)
    assert set(splits.train.classes) == {"好评", "差评"}
    assert splits.train.texts_N[0] == "这个地方很好，第0次 train"
    # Chinese letters stand alone: none of them is unknown.
    words = kind.tokens.tokenizer.encode("服务态度太差了").tokens
    assert [one for one in words if one != "[PAD]"] == ["[CLS]", *"服务态度太差了", "[SEP]"]


def test_a_teacher_of_texts_does_not_teach_images(
    spec_of: Specs, shapes: Path, bare: Path, tmp_path: Path, capsys
) -> None:
    told = refusal(spec_of(teacher={"path": str(bare)}), tmp_path, capsys)
    assert "text" in told


def test_a_teacher_of_images_does_not_teach_texts(
    spec_of: Specs, texts: Path, small_teacher: Path, tmp_path: Path, capsys
) -> None:
    spec = bert(spec_of, texts, teacher={"path": str(small_teacher)})
    told = refusal(spec, tmp_path, capsys)
    assert "text" in told or "picture" in told


def test_a_teacher_that_cannot_be_had_is_what_is_missing(
    spec_of: Specs, texts: Path, tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    spec = bert(spec_of, texts, teacher={"path": "google-bert/bert-base-uncased"})
    told = refusal(spec, tmp_path, capsys)
    assert "The teacher google-bert/bert-base-uncased is no folder here" in told
    assert "tokenizer" not in told


def test_its_own_classes_are_known_by_name_only(tuned: Path) -> None:
    from tandem.spec.run import TeacherSpec
    from tandem.train.teachers.family import checkpoint_of, learnt_classes

    spec = TeacherSpec(path=str(tuned), family="hf_text")

    def teacher() -> HfTextTeacher:
        return HfTextTeacher(checkpoint_of(spec), spec, torch.device("cpu"))

    assert learnt_classes(teacher().checkpoint.config, "ForSequenceClassification") == [
        "positive",
        "negative",
    ]
    one = teacher()
    assert one.know(["negative", "positive"])
    assert one.class_order == (1, 0)
    assert one.know(["Positive", "Negative"])
    assert one.class_order == (0, 1)
    for others in (["negative", "neutral"], ["negative", "positive", "neutral"], ["a", "b"]):
        assert not teacher().know(others)


def test_a_pair_of_texts_has_two_types(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for split in ("train", "val"):
        lines = [
            {"text": f"one {n} {split}", "text_b": f"two {n}", "label": str(n % 2)}
            for n in range(6)
        ]
        (data / f"{split}.jsonl").write_text("\n".join(json.dumps(one) for one in lines))
    _, _, splits = read(data)
    types = splits.train.ids_N3L[:, 2]
    assert splits.train.seconds_N[0] == "two 0"
    assert set(types[0].tolist()) == {0, 1}


def test_the_old_script_trains_texts(
    texts: Path, tuned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--student_model student`, and no word of what kind it is: teacher and data tell."""
    monkeypatch.chdir(tmp_path)
    flags = {
        "task_id": "TEST",
        "teacher_model": "bert-base",
        "student_model": "student",
        "teacher_path": tuned,
        "dataset_id": texts,
        "epochs": 1,
        "batch_size": 16,
        "output_dir": tmp_path / "out",
        "gpu_devices": "cpu",
    }
    words = [part for name, value in flags.items() for part in (f"--{name}", str(value))]
    monkeypatch.setattr("sys.argv", ["train_distillation.py", *words])
    assert distillation_script() == 0
    spec = json.loads((tmp_path / "out" / "spec.json").read_text())
    assert spec["student"]["type"] == "bert"
    found = json.loads((tmp_path / "out" / "report.json").read_text())
    assert found["spec"]["kind"] == "text"
