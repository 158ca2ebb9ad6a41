"""The whole Qwen-VL: asked a question about pictures, it answers with next-token logits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from tandem.spec.errors import TeacherError
from tandem.train.pretrained.checkpoint import PretrainedCheckpoint
from tandem.train.pretrained.quantize import QUANTIZED, quantization_config
from tandem.train.pretrained.quiet import quiet_transformers
from tandem.train.pretrained.qwen_tower import TowerOutput


def load_language(
    checkpoint: PretrainedCheckpoint, precision: str, dtype: torch.dtype, device: torch.device
) -> nn.Module:
    """The model with its language part and head, frozen, on `device`."""
    from transformers import AutoModelForImageTextToText

    quantization = None
    with quiet_transformers():
        if precision in QUANTIZED:
            quantization = quantization_config(precision, dtype, _skeleton(checkpoint))
        loaded = AutoModelForImageTextToText.from_pretrained(
            checkpoint.source,
            dtype=dtype,
            quantization_config=quantization,
            device_map={"": device} if quantization is not None else None,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=checkpoint.folder is not None,
            attn_implementation="sdpa",
            output_loading_info=True,
        )
    # With `output_loading_info` it is a pair, which transformers' own types do not know.
    model, info = cast(tuple[nn.Module, dict[str, list[str]]], loaded)
    missing = sorted(info["missing_keys"])
    if missing:
        raise TeacherError(
            "The teacher {name} lacks {count} weights that its config.json asks for: {example}, …",
            name=checkpoint.name,
            count=len(missing),
            example=missing[0],
            fix="Copy the checkpoint again, all of its files.",
        )
    if quantization is None:
        model = model.to(device)
    return model.eval().requires_grad_(False)


def _skeleton(checkpoint: PretrainedCheckpoint) -> nn.Module:
    """The architecture without weights."""
    from transformers import AutoConfig, AutoModelForImageTextToText

    config = AutoConfig.from_pretrained(
        checkpoint.source, local_files_only=checkpoint.folder is not None
    )
    with torch.device("meta"):
        skeleton: nn.Module = AutoModelForImageTextToText.from_config(config)
    return skeleton


class Tokenizer(Protocol):
    """What is asked of transformers' tokenizer."""

    eos_token: str

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        """The numbers of a text's tokens."""
        ...


class ChatProcessor(Protocol):
    """What is asked of transformers' processor."""

    tokenizer: Tokenizer

    def apply_chat_template(
        self, conversation: object, *, tokenize: bool, add_generation_prompt: bool
    ) -> str:
        """The conversation as the model was trained to read it."""
        ...

    def __call__(
        self,
        *,
        images: list[Tensor],
        text: list[str],
        return_tensors: str,
        images_kwargs: dict[str, bool],
    ) -> dict[str, Tensor]:
        """`input_ids` and what goes with them."""
        ...


def load_processor(checkpoint: PretrainedCheckpoint) -> ChatProcessor:
    """The tokenizer, chat template and image processor of the checkpoint."""
    from transformers import AutoProcessor

    with quiet_transformers():
        try:
            processor = AutoProcessor.from_pretrained(
                checkpoint.source,
                trust_remote_code=False,
                local_files_only=checkpoint.folder is not None,
            )
        except (OSError, ValueError) as error:
            raise TeacherError(
                "The teacher {name} has no readable processor or tokenizer: {error}",
                name=checkpoint.name,
                error=error,
                fix="Copy the checkpoint again, all of its files.",
            ) from error
    return cast(ChatProcessor, processor)


@dataclass(frozen=True)
class Question:
    """One picture and a text as the model reads them, (1, L) each."""

    input_ids: Tensor
    mm_token_type_ids: Tensor
    """Which tokens are of the picture. Without it the model silently drops its 2-D positions."""

    def repeat(self, batch: int, device: torch.device) -> dict[str, Tensor]:
        """The same question for each of `batch` pictures."""
        ids = self.input_ids.expand(batch, -1).to(device)
        return {
            "input_ids": ids,
            "attention_mask": torch.ones_like(ids),
            "mm_token_type_ids": self.mm_token_type_ids.expand(batch, -1).to(device),
        }


def ask(processor: ChatProcessor, text: str, image_size: int, answer: str = "") -> Question:
    """The chat template's turn with one square picture and `text`, up to the answer's place."""
    content = [{"type": "image"}, {"type": "text", "text": text}]
    prompt = processor.apply_chat_template(
        [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
    )
    blank = torch.zeros(3, image_size, image_size, dtype=torch.uint8)
    inputs = processor(
        images=[blank],
        text=[prompt + answer],
        return_tensors="pt",
        images_kwargs={"do_resize": False},
    )
    return Question(inputs["input_ids"], inputs["mm_token_type_ids"])


def next_token_logits(
    model: nn.Module, seen: TowerOutput, question: Question, keep: int = 1
) -> Tensor:
    """(B, keep, vocabulary), at the last `keep` places. The tower is not run again."""
    batch = len(seen.grid_thw)
    answer = model(
        **question.repeat(batch, seen.grid_thw.device),
        image_grid_thw=seen.grid_thw,
        mm_encoder_outputs={"image": _per_image(seen, batch)},
        logits_to_keep=keep,
        use_cache=False,
    )
    logits: Tensor = answer.logits
    return logits.float()


def _per_image(seen: TowerOutput, batch: int) -> object:
    """The tower's merged tokens as `get_image_features` would give them: one tensor a picture."""
    raw = seen.raw
    made: Callable[..., object] = type(raw)
    per = made(
        last_hidden_state=raw.last_hidden_state, pooler_output=raw.pooler_output.chunk(batch)
    )
    deepstack = getattr(raw, "deepstack_features", None)
    if deepstack is not None:
        setattr(per, "deepstack_features", [level.chunk(batch) for level in deepstack])  # noqa: B010
    return per
