"""The teachers' well-known names and the hub ids they stand for."""

from __future__ import annotations

import re

HUB_IDS: dict[str, str] = {
    "qwen2.5-vl-3b": "Qwen/Qwen2.5-VL-3B-Instruct",
    "qwen2.5-vl-7b": "Qwen/Qwen2.5-VL-7B-Instruct",
    "qwen2.5-vl-32b": "Qwen/Qwen2.5-VL-32B-Instruct",
    "qwen2.5-vl-72b": "Qwen/Qwen2.5-VL-72B-Instruct",
    "qwen3-vl-2b": "Qwen/Qwen3-VL-2B-Instruct",
    "qwen3-vl-4b": "Qwen/Qwen3-VL-4B-Instruct",
    "qwen3-vl-8b": "Qwen/Qwen3-VL-8B-Instruct",
    "qwen3-vl-32b": "Qwen/Qwen3-VL-32B-Instruct",
    "dinov2-base": "facebook/dinov2-base",
    "dinov2-large": "facebook/dinov2-large",
    "siglip2-base": "google/siglip2-base-patch16-224",
    "clip-vit-large": "openai/clip-vit-large-patch14",
    "bert-base-uncased": "google-bert/bert-base-uncased",
    "bert-base-cased": "google-bert/bert-base-cased",
    "bert-base-chinese": "google-bert/bert-base-chinese",
    "bert-base-multilingual-cased": "google-bert/bert-base-multilingual-cased",
    "bert-large-uncased": "google-bert/bert-large-uncased",
    "distilbert-base-uncased": "distilbert/distilbert-base-uncased",
    "roberta-base": "FacebookAI/roberta-base",
    "roberta-large": "FacebookAI/roberta-large",
    "xlm-roberta-base": "FacebookAI/xlm-roberta-base",
    "albert-base-v2": "albert/albert-base-v2",
    "all-minilm-l6-v2": "sentence-transformers/all-MiniLM-L6-v2",
    "bge-small-en": "BAAI/bge-small-en-v1.5",
    "bge-base-en": "BAAI/bge-base-en-v1.5",
    "bge-small-zh": "BAAI/bge-small-zh-v1.5",
    "bge-base-zh": "BAAI/bge-base-zh-v1.5",
    "distilbert-sst2": "distilbert/distilbert-base-uncased-finetuned-sst-2-english",
}

MIT = ("clip-", "roberta-", "xlm-roberta-", "bge-")
OWN = {
    "qwen2.5-vl-3b": "Qwen Research License",
    "qwen2.5-vl-72b": "Qwen License",
}
"""Releases under a licence of their makers'."""

NEVER_RELEASED = {"qwen2.5-vl-8b": "qwen2.5-vl-7b"}
"""Installed systems call their teacher so; the release that comes nearest."""

SHORT = {
    "bert-base": "bert-base-uncased",
    "bert-large": "bert-large-uncased",
    "distilbert": "distilbert-base-uncased",
    "distilbert-base": "distilbert-base-uncased",
    "albert-base": "albert-base-v2",
}
"""What people say for a release whose whole name they leave out."""


def release_of(name: str) -> str | None:
    """The name in `HUB_IDS` that `name` stands for, in any spelling; None for one of neither."""
    wanted = key(name)
    meant = {key(one): release for one, release in (NEVER_RELEASED | SHORT).items()}
    return meant.get(wanted) or next((one for one in HUB_IDS if key(one) == wanted), None)


def licence_of(release: str) -> str:
    """The licence that the weights of a name in `HUB_IDS` are published under."""
    if release in OWN:
        return OWN[release]
    return "MIT" if release.startswith(MIT) else "Apache-2.0"


def key(name: str) -> str:
    """The same for every spelling of a name: `qwen-2.5-vl-8b`, `Qwen2.5_VL-8B`."""
    return re.sub(r"[\s_\-.]+", "", name.lower()).removesuffix("instruct")
