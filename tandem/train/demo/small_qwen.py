"""A small Qwen-VL of the real architecture, as an ordinary checkpoint folder.

It is what `Qwen/Qwen2.5-VL-7B-Instruct` is, with fewer and narrower layers: the configuration,
weights, processor, tokenizer and chat template are files of the same names, read by the same code.
The weights are random until somebody teaches them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

if TYPE_CHECKING:
    from transformers import (
        Qwen2_5_VLForConditionalGeneration,
        Qwen2Tokenizer,
        Qwen3VLForConditionalGeneration,
    )
    from transformers.models.qwen2_5_vl import Qwen2_5_VLProcessor
    from transformers.models.qwen3_vl import Qwen3VLProcessor

Family = Literal["qwen2_5_vl", "qwen3_vl"]

SPECIAL_TOKENS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
# The 256 bytes and merges learnt from these lines are its words: every letter and digit is a token.
TRAINING_TEXT = (
    "You are a helpful assistant.",
    "What does the picture show? Answer with the letter of one option only.",
    "Which of these classes is this image of? Answer with one letter.",
    "zero one two three four five six seven eight nine ten",
    "user assistant system option options class classes picture image digit letter answer",
)
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if loop.first and message['role'] != 'system' %}"
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}"
    "<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for content in message['content'] %}"
    "{% if content['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif content['type'] == 'video' %}<|vision_start|><|video_pad|><|vision_end|>"
    "{% elif 'text' in content %}{{ content['text'] }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
VOCABULARY_SIZE = 512


@dataclass(frozen=True)
class QwenShape:
    """How large the small model is; the real one of 7 B has depth 32, hidden 1280, heads 16."""

    family: Family = "qwen2_5_vl"
    depth: int = 4
    hidden: int = 64
    heads: int = 4
    window_size: int = 56
    """Pixels a side of an attention window (Qwen2.5 only); the real one's is 112."""
    full_attention: Sequence[int] | None = None
    """Vision blocks that see the whole image (Qwen2.5 only). None: the last."""
    text_layers: int = 2
    text_hidden: int = 64
    text_heads: int = 4


def build(
    folder: Path,
    *,
    family: Family = "qwen2_5_vl",
    depth: int = 4,
    hidden: int = 64,
    heads: int = 4,
    window_size: int = 56,
    full_attention: Sequence[int] | None = None,
    text_layers: int = 2,
    text_hidden: int = 64,
    text_heads: int = 4,
    seed: int = 0,
) -> Path:
    """Write the checkpoint into `folder` and return it. The same arguments give the same bytes."""
    shape = QwenShape(
        family,
        depth,
        hidden,
        heads,
        window_size,
        full_attention,
        text_layers,
        text_hidden,
        text_heads,
    )
    folder.mkdir(parents=True, exist_ok=True)
    processor = build_processor(family)
    build_model(shape, processor.tokenizer, seed).save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def build_model(
    shape: QwenShape, tokenizer: Qwen2Tokenizer, seed: int = 0
) -> Qwen2_5_VLForConditionalGeneration | Qwen3VLForConditionalGeneration:
    """The model alone, with random weights from `seed`; the caller's random state is left as is."""
    parts = _config_parts(shape, tokenizer)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if shape.family == "qwen3_vl":
            from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

            newer = Qwen3VLForConditionalGeneration(Qwen3VLConfig(**parts))
            newer.eval()
            return newer
        from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

        model = Qwen2_5_VLForConditionalGeneration(Qwen2_5_VLConfig(**parts))
        model.eval()
        return model


def build_processor(family: Family = "qwen2_5_vl") -> Qwen2_5_VLProcessor | Qwen3VLProcessor:
    """Image processor, tokenizer and chat template as the family ships them."""
    from transformers import Qwen2VLImageProcessor, Qwen2VLVideoProcessor, Qwen3VLVideoProcessor
    from transformers.models.qwen2_5_vl import Qwen2_5_VLProcessor
    from transformers.models.qwen3_vl import Qwen3VLProcessor

    tokenizer = build_tokenizer()
    if family == "qwen3_vl":
        half = [0.5, 0.5, 0.5]
        images = Qwen2VLImageProcessor(patch_size=16, image_mean=half, image_std=half)
        videos = Qwen3VLVideoProcessor()
        return Qwen3VLProcessor(images, tokenizer, videos, chat_template=CHAT_TEMPLATE)
    return Qwen2_5_VLProcessor(
        Qwen2VLImageProcessor(), tokenizer, Qwen2VLVideoProcessor(), chat_template=CHAT_TEMPLATE
    )


def build_tokenizer() -> Qwen2Tokenizer:
    """Qwen's byte-level BPE with a vocabulary of at most 512 words."""
    from transformers import Qwen2Tokenizer
    from transformers.models.qwen2.tokenization_qwen2 import PRETOKENIZE_REGEX

    bpe = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(PRETOKENIZE_REGEX), behavior="isolated")
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    bpe.pre_tokenizer = pre_tokenizers.Sequence([split, level])
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY_SIZE - len(SPECIAL_TOKENS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    bpe.train_from_iterator(TRAINING_TEXT, trainer)
    learnt = json.loads(bpe.to_str())["model"]
    return Qwen2Tokenizer(
        vocab=learnt["vocab"],
        merges=[tuple(pair) for pair in learnt["merges"]],  # type: ignore[misc]
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        extra_special_tokens={
            "image_token": "<|image_pad|>",
            "video_token": "<|video_pad|>",
            "vision_start_token": "<|vision_start|>",
            "vision_end_token": "<|vision_end|>",
            "chat_start_token": "<|im_start|>",
        },
    )


def _config_parts(shape: QwenShape, tokenizer: Qwen2Tokenizer) -> dict[str, Any]:
    """The arguments of either family's configuration."""
    ids = {
        "image_token_id": "<|image_pad|>",
        "video_token_id": "<|video_pad|>",
        "vision_start_token_id": "<|vision_start|>",
        "vision_end_token_id": "<|vision_end|>",
    }
    return {
        "vision_config": _vision(shape),
        "text_config": _text(shape, tokenizer),
        "tie_word_embeddings": True,
        **{name: tokenizer.convert_tokens_to_ids(token) for name, token in ids.items()},
    }


def _vision(shape: QwenShape) -> dict[str, object]:
    shared = {
        "depth": shape.depth,
        "hidden_size": shape.hidden,
        "intermediate_size": 2 * shape.hidden,
        "num_heads": shape.heads,
        "out_hidden_size": shape.text_hidden,  # the language model reads it as its own
    }
    if shape.family == "qwen3_vl":
        levels = min(3, shape.text_layers, shape.depth - 1)  # no level without a text layer
        return shared | {
            "num_position_embeddings": 256,
            "deepstack_visual_indexes": [
                (i + 1) * shape.depth // (levels + 1) for i in range(levels)
            ],
        }
    full = shape.full_attention if shape.full_attention is not None else (shape.depth - 1,)
    return shared | {"window_size": shape.window_size, "fullatt_block_indexes": list(full)}


def _text(shape: QwenShape, tokenizer: Qwen2Tokenizer) -> dict[str, object]:
    half = shape.text_hidden // shape.text_heads // 2
    temporal = half // 4
    height = (half - temporal) // 2
    rope: dict[str, object] = {
        "rope_type": "default",
        "rope_theta": 1e6,
        "mrope_section": [temporal, height, half - temporal - height],
    }
    text = {
        "vocab_size": VOCABULARY_SIZE,
        "hidden_size": shape.text_hidden,
        "intermediate_size": 2 * shape.text_hidden,
        "num_hidden_layers": shape.text_layers,
        "num_attention_heads": shape.text_heads,
        "num_key_value_heads": max(1, shape.text_heads // 2),
        "max_position_embeddings": 32768,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    if shape.family == "qwen3_vl":
        rope["mrope_interleaved"] = True
        text["head_dim"] = shape.text_hidden // shape.text_heads
    else:
        text["bos_token_id"] = None
    return text | {"rope_parameters": rope}
