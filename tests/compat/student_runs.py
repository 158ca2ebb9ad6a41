"""The data, teachers and runs of the home: the smallest of every student. For `make.py` alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.compat import formula
from tests.compat.user import train

WORDS = {"good": ["great", "lovely", "fine", "好"], "bad": ["awful", "poor", "sad", "坏"]}
FILL = ["the", "film", "was", "a", "day", "in", "town", "我", "觉得"]


SPLITS = (("train", 3), ("val", 1))


def images() -> dict[str, list[int]]:
    """Each by what `formula.image` takes: of scenes and clips, of ground and its masks, boxes."""
    drawn = {}
    for split, number in ((split, n) for split, count in SPLITS for n in range(count)):
        for label, name in enumerate(("day", "night")):
            seed = 10 * label + number + (5 if split == "val" else 0)
            drawn[f"datasets/scenes/{split}/{name}/{number}.png"] = [seed, 32]
            for frame in range(2):
                clip = f"datasets/clips/{split}/{name}/c{number}/{frame}.png"
                drawn[clip] = [seed + 100 * frame, 32]
        drawn[f"datasets/ground/images/{split}/{number}.png"] = [number + 40, 32]
        drawn[f"datasets/ground/masks/{split}/{number}.png"] = [number + 50, 32, 2]
        drawn[f"datasets/boxes/images/{split}/{number}.png"] = [number + 60, 64]
    return drawn


def data(home: Path) -> None:
    """Texts, pictures, boxes; and who teaches on them."""
    for name, of in images().items():
        formula.image(home / name, *of)
    sets = home / "datasets"
    for name in ("reviews", "soon-gone"):
        texts(sets / name)
    (sets / "unread").mkdir()
    for number, label in enumerate(("good", "bad", "good")):
        (sets / f"unread/{number}.txt").write_text(sentence(900 + 6 * number, label), "utf-8")
    (sets / "ground/classes.txt").write_text("earth\nwater\n")
    for split, count in SPLITS:
        for number in range(count):
            file = sets / f"boxes/labels/{split}/{number}.txt"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{number % 2} 0.5 0.5 0.4 0.{number + 2}\n")
    (sets / "boxes/data.yaml").write_text(
        "path: .\ntrain: images/train\nval: images/val\nnames:\n  0: square\n  1: disc\n"
    )
    text_teacher(home / "models" / "bert-teacher")
    image_teacher(home / "models" / "vit-teacher")


def texts(folder: Path) -> None:
    """16 to learn and 6 to validate; two words of six tell."""
    folder.mkdir(parents=True)
    for split, count, at in (("train", 16, 0), ("val", 6, 500)):
        lines = []
        for number in range(count):
            label = ("good", "bad")[number % 2]
            row = {"text": sentence(at + 6 * number, label), "label": label}
            lines.append(json.dumps(row, ensure_ascii=False))
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def sentence(at: int, label: str) -> str:
    """Six words that a place in the formula's numbers says."""
    drawn = (formula.TILE[at : at + 6] + 1) / 2
    words = [FILL[int(x * len(FILL))] for x in drawn[:4]]
    return " ".join([*words, *(WORDS[label][int(x * 4)] for x in drawn[4:])])


def text_teacher(folder: Path) -> None:
    """A BERT of the real architecture, 32 wide and 2 deep, with the tokenizer of these words."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = [*special, *FILL, *WORDS["good"], *WORDS["bad"]]
    tokens = Tokenizer(models.WordLevel({w: n for n, w in enumerate(words)}, unk_token="[UNK]"))
    tokens.pre_tokenizer = pre_tokenizers.Whitespace()
    tokens.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(folder)
    named = {f"{one[1:-1].lower()}_token": one for one in special}
    PreTrainedTokenizerFast(tokenizer_object=tokens, **named).save_pretrained(folder)
    by_formula(folder)


def image_teacher(folder: Path) -> None:
    """A ViT of the real architecture, 32 wide and 2 deep."""
    from transformers import ViTConfig, ViTImageProcessor, ViTModel

    config = ViTConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        image_size=32,
        patch_size=8,
    )
    ViTModel(config).save_pretrained(folder)
    ViTImageProcessor().save_pretrained(folder)
    by_formula(folder)


def by_formula(folder: Path) -> None:
    """What a teacher says is kept, so that its weights must be those that are made again."""
    file = folder / "model.safetensors"
    formula.write_safetensors(file, formula.read_safetensors(file))


def foreign(file: Path) -> None:
    """A classifier that another program has made: one convolution, and the mean of its answer."""
    from onnx import helper, numpy_helper, save

    weight = formula.numbers("weight", ["F32", 8, 3, 3, 3])
    head = formula.numbers("head", ["F32", 8, 3])
    gain = np.array([50], np.float32)
    nodes = [
        helper.make_node("Conv", ["images", "weight"], ["x"], strides=[2, 2]),
        helper.make_node("Relu", ["x"], ["y"]),
        helper.make_node("GlobalAveragePool", ["y"], ["z"]),
        helper.make_node("Flatten", ["z"], ["pooled"]),
        helper.make_node("MatMul", ["pooled", "head"], ["small"]),
        helper.make_node("Mul", ["small", "gain"], ["scores"]),
    ]
    graph = helper.make_graph(
        nodes,
        "foreign",
        [helper.make_tensor_value_info("images", 1, ["batch", 3, 32, 32])],
        [helper.make_tensor_value_info("scores", 1, ["batch", 3])],
        [
            numpy_helper.from_array(one, name)
            for name, one in (("weight", weight), ("head", head), ("gain", gain))
        ],
    )
    opset = [helper.make_opsetid("", 17)]
    save(helper.make_model(graph, opset_imports=opset, ir_version=9), file)


def text_spec(home: Path, *, dataset: str = "reviews", epochs: int = 2, mode: str = "") -> dict:
    """A small BERT that learns of the text teacher, or without one."""
    spec: dict[str, Any] = {
        "task_id": "text",
        "data": {"dataset": dataset, "root": str(home / "datasets")},
        "teacher": {"path": str(home / "models" / "bert-teacher"), "batch_size": 8},
        "student": {"type": "bert", "size": "bert-mini", "max_tokens": 16},
        "optim": {"epochs": epochs, "batch_size": 8, "learning_rate": 1e-4},
        "views": {"count": 1},
        "cache": {"root": str(home / "cache")},
        "run": {
            "output_dir": str(home / "runs" / "text"),
            "devices": "cpu",
            "log_interval": 4,
            "checkpoint_interval": 100,
            "save_checkpoints": False,
        },
        "report": {"tensorboard": False},
    }
    if mode == "direct":
        del spec["teacher"]
        spec |= {"mode": "direct"}
    return spec


ON_IMAGES: dict[str, tuple[str, dict[str, Any], int]] = {
    "detection": ("boxes", {"type": "yolov8", "size": "yolov8n"}, 64),
    "masks": ("ground", {"type": "unet", "size": "unet-small"}, 32),
    "clips": ("clips", {"type": "lstm", "size": "lstm-small", "frames": 2}, 32),
    "vit": ("scenes", {"type": "vit", "size": "vit-tiny"}, 32),
    "resnet": ("scenes", {"type": "resnet", "size": "resnet18"}, 32),
}


def spec_of(home: Path, name: str) -> dict[str, Any]:
    """A run by its name."""
    if name == "interrupted":
        spec = text_spec(home, epochs=8)
        spec["optim"] |= {"ema_decay": 0.9, "warmup_epochs": 1.0}
    else:
        dataset, student, pixels = ON_IMAGES[name]
        spec = text_spec(home, dataset=dataset, epochs=1, mode="direct")
        spec["student"] = student
        spec["data"]["image_size"] = pixels
        spec["views"]["count"] = 2
        if name == "resnet":
            teacher = {"path": str(home / "models" / "vit-teacher"), "image_size": 32}
            spec |= {"mode": "distillation", "teacher": teacher}
    spec["task_id"] = name
    spec["run"]["output_dir"] = str(home / "runs" / name)
    return spec


def given(home: Path, spec: dict[str, Any]) -> Path:
    """The file that a run is started with."""
    file = home / "given" / f"{spec['task_id']}.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(spec, indent=1))
    return file


def train_all(home: Path) -> None:
    """All that end by themselves."""
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002
    for name in ON_IMAGES:
        code, said = train(home, given(home, spec_of(home, name)))
        assert code == 0, said
