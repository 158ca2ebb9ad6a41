"""Data sets of the kinds, made on the spot: masks, clips, texts; and tiny teachers of texts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

SHAPES = ("background", "circle", "square")


def scene(random: np.random.Generator, size: int = 64) -> tuple[Image.Image, Image.Image]:
    """One to three light shapes on a dark noisy ground, and the mask of them."""
    image = Image.fromarray(random.integers(0, 90, (size, size, 3), dtype=np.uint8))
    mask = Image.new("L", (size, size), 0)
    pen, truth = ImageDraw.Draw(image), ImageDraw.Draw(mask)
    for _ in range(int(random.integers(1, 4))):
        side = int(random.integers(size // 4, size // 2))
        left, top = (int(x) for x in random.integers(0, size - side, 2))
        colour = tuple(int(x) for x in random.integers(150, 255, 3))
        box, label = (left, top, left + side, top + side), int(random.integers(1, 3))
        if label == 1:
            pen.ellipse(box, fill=colour)
            truth.ellipse(box, fill=1)
        else:
            pen.rectangle(box, fill=colour)
            truth.rectangle(box, fill=2)
    return image, mask


def masks(
    folder: Path, *, train: int = 24, val: int = 8, bare: int = 0, size: int = 64, seed: int = 0
) -> Path:
    """Pictures and masks of one name; `bare` more pictures of train have no mask."""
    random = np.random.default_rng(seed)
    for split, count in (("train", train + bare), ("val", val)):
        for part in ("images", "masks"):
            (folder / part / split).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            image, mask = scene(random, size)
            image.save(folder / "images" / split / f"{number}.png")
            if split == "val" or number < train:
                mask.save(folder / "masks" / split / f"{number}.png")
    (folder / "classes.txt").write_text("\n".join(SHAPES) + "\n")
    return folder


def moving(
    random: np.random.Generator, name: str, size: int = 32, frames: int = 0
) -> list[Image.Image]:
    """A light square that goes left or right: one frame does not tell which."""
    count = frames or int(random.integers(5, 9))
    top, start = int(random.integers(8, size - 16)), random.integers(0, 3)
    step = (size - 12) / count
    lefts = [start + step * number for number in range(count)]
    shown = []
    for left in lefts if name == "right" else lefts[::-1]:
        frame = random.integers(0, 20, (size, size, 3), dtype=np.uint8)
        at = int(min(left, size - 8))
        frame[top : top + 10, at : at + 8] = 230
        shown.append(Image.fromarray(frame))
    return shown


def clips(folder: Path, *, train: int = 12, val: int = 6, seed: int = 0) -> Path:
    """Folders of frames in folders of classes."""
    random = np.random.default_rng(seed)
    for split, count in (("train", train), ("val", val)):
        for name in ("left", "right"):
            for number in range(count):
                clip = folder / split / name / f"c{number}"
                clip.mkdir(parents=True, exist_ok=True)
                for place, frame in enumerate(moving(random, name)):
                    frame.save(clip / f"{place:03d}.png")
    return folder


def dawns(folder: Path, *, train: int = 16, val: int = 8, seed: int = 0) -> Path:
    """Grey that gets lighter or darker: one frame does not tell which, and no feature is needed
    that untaught convolutions have not."""
    random = np.random.default_rng(seed)
    for split, count in (("train", train), ("val", val)):
        for name in ("lighter", "darker"):
            for number in range(count):
                clip = folder / split / name / f"c{number}"
                clip.mkdir(parents=True)
                first = int(random.integers(0, 100))
                levels = np.linspace(first, first + 140, int(random.integers(4, 7)))
                for place, level in enumerate(levels if name == "lighter" else levels[::-1]):
                    noise = random.integers(0, 15, (32, 32, 3))
                    frame = Image.fromarray((noise + int(level)).astype(np.uint8))
                    frame.save(clip / f"{place:03d}.png")
    return folder


GOOD = ["great", "lovely", "wonderful", "fine", "happy", "好", "棒", "喜欢"]
BAD = ["awful", "poor", "terrible", "sad", "broken", "差", "坏", "讨厌"]
FILL = [
    "the",
    "film",
    "was",
    "a",
    "day",
    "in",
    "this",
    "town",
    "with",
    "some",
    "people",
    "and",
    "我",
    "觉得",
    "这个",
]


def sentence(random: np.random.Generator, label: int) -> str:
    """Ten words, two of which tell, English and Chinese."""
    words = [*random.choice(FILL, 8), *random.choice((BAD, GOOD)[label], 2)]
    random.shuffle(words)
    return " ".join(words)


def rows(count: int, seed: int) -> list[dict[str, str]]:
    random = np.random.default_rng(seed)
    return [
        {"text": sentence(random, label), "label": ("negative", "positive")[label]}
        for label in random.integers(0, 2, count).tolist()
    ]


def texts(folder: Path, *, train: int = 96, val: int = 48) -> Path:
    """One JSON object a line."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed, (split, count) in enumerate((("train", train), ("val", val))):
        lines = [json.dumps(one, ensure_ascii=False) for one in rows(count, seed)]
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def text_teacher(folder: Path, said: list[str], *, tuned: bool) -> Path:
    """A tiny BERT with a tokenizer of these texts; `tuned`: on classes in the other order."""
    import torch
    from transformers import (
        BertConfig,
        BertForSequenceClassification,
        BertModel,
        PreTrainedTokenizerFast,
    )

    from tandem.train.data.tokens import learnt

    tokens = learnt(said)
    config = BertConfig(
        vocab_size=tokens.words,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        id2label={0: "positive", 1: "negative"},
        label2id={"positive": 0, "negative": 1},
    )
    torch.manual_seed(0)
    model = BertForSequenceClassification(config) if tuned else BertModel(config)
    if tuned:
        _fit(model, tokens)
    model.save_pretrained(folder)
    PreTrainedTokenizerFast(
        tokenizer_object=tokens.tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    ).save_pretrained(folder)
    return folder


def _fit(model, tokens) -> None:
    """A few seconds of fine-tuning on texts that no test uses."""
    import torch

    some = rows(256, 99)
    ids_N3L = torch.from_numpy(
        tokens.encode([one["text"] for one in some], [None] * len(some), 32)
    ).long()
    # The other order: 0 is positive here.
    labels_N = torch.tensor([int(one["label"] == "negative") for one in some])
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    model.train()
    for _ in range(12):
        for at in range(0, len(some), 32):
            ids, mask, types = ids_N3L[at : at + 32].unbind(1)
            loss = model(
                input_ids=ids,
                attention_mask=mask,
                token_type_ids=types,
                labels=labels_N[at : at + 32],
            ).loss
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    model.eval()
