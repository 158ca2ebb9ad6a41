"""The whole Qwen-VL: asked a question about pictures, it answers with next-token logits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tandem.spec.errors import TeacherError
from tandem.train.pretrained.folder import PretrainedCheckpoint
from tandem.train.pretrained.quantize import QUANTISED, quantisation_config
from tandem.train.pretrained.quiet import quiet_transformers
from tandem.train.pretrained.qwen_tower import TowerOutput


def load_language(
    checkpoint: PretrainedCheckpoint, precision: str, dtype: torch.dtype, device: torch.device
) -> Any:
    """The model with its language part and head, frozen, on `device`."""
    from transformers import AutoModelForImageTextToText

    quantisation = None
    with quiet_transformers():
        if precision in QUANTISED:
            quantisation = quantisation_config(precision, dtype, _skeleton(checkpoint))
        loaded: Any = AutoModelForImageTextToText.from_pretrained(
            checkpoint.source,
            dtype=dtype,
            quantization_config=quantisation,
            device_map={"": device} if quantisation is not None else None,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=checkpoint.folder is not None,
            attn_implementation="sdpa",
            output_loading_info=True,
        )
    model, info = loaded
    missing = sorted(info["missing_keys"])
    if missing:
        raise TeacherError(
            "The teacher {name} lacks {count} weights that its config.json asks for: {example}, …",
            name=checkpoint.name,
            count=len(missing),
            example=missing[0],
            fix="Copy the checkpoint again, all of its files.",
        )
    if quantisation is None:
        model = model.to(device)
    return model.eval().requires_grad_(False)


def _skeleton(checkpoint: PretrainedCheckpoint) -> Any:
    """The architecture without weights."""
    from transformers import AutoConfig, AutoModelForImageTextToText

    config = AutoConfig.from_pretrained(
        checkpoint.source, local_files_only=checkpoint.folder is not None
    )
    with torch.device("meta"):
        return AutoModelForImageTextToText.from_config(config)


def load_processor(checkpoint: PretrainedCheckpoint) -> Any:
    """The tokenizer, chat template and image processor of the checkpoint."""
    from transformers import AutoProcessor

    with quiet_transformers():
        try:
            return AutoProcessor.from_pretrained(
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


def ask(processor: Any, text: str, image_size: int, answer: str = "") -> Question:
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


def next_token_logits(model: Any, seen: TowerOutput, question: Question, keep: int = 1) -> Tensor:
    """(B, keep, vocabulary): of the last `keep` places. The tower is not run again."""
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


def _per_image(seen: TowerOutput, batch: int) -> Any:
    """The tower's merged tokens as `get_image_features` would give them: one tensor a picture."""
    raw = seen.raw
    per = type(raw)(
        last_hidden_state=raw.last_hidden_state, pooler_output=raw.pooler_output.chunk(batch)
    )
    deepstack = getattr(raw, "deepstack_features", None)
    if deepstack is not None:
        per.deepstack_features = [level.chunk(batch) for level in deepstack]
    return per
