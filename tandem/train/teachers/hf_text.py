"""Every text encoder that AutoModelForSequenceClassification loads: BERT and its kin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor, nn

from tandem.spec.run import TeacherSpec
from tandem.train.data.tokens import Tokens, from_checkpoint
from tandem.train.pretrained.checkpoint import PretrainedCheckpoint
from tandem.train.pretrained.frozen import FrozenModel
from tandem.train.pretrained.quantize import quantize_linear
from tandem.train.pretrained.quiet import quiet_transformers
from tandem.train.registry import register
from tandem.train.teachers.family import (
    LAST,
    checkpoint_of,
    family_of,
    learnt_classes,
    order_of,
    refuse_foreign_code,
    refuse_missing_weights,
    sees_images,
)
from tandem.train.types import Signals

MAY_LACK = ("pooler", "classifier", "score", "position_ids", "pre_classifier", "out_proj", "dense")
HEADS = ("cls.", "lm_head.", "qa_outputs.")
LONGEST = 512


class TextOutput(Protocol):
    """What is read of transformers' answer."""

    hidden_states: tuple[Tensor, ...]
    """(B, L, D) of the embeddings and each layer."""
    logits: Tensor
    """(B, K), of a model with a head."""


class HfTextTeacher(FrozenModel):
    """Tokens are the words' of the last layer, one column; pooled is their mean.

    Where it was fine-tuned on classes, `logits_BK` are its own, in the order of `class_order`.
    """

    image_size = 0
    gives = frozenset({"pooled", "tokens", "layers"})

    def __init__(
        self, checkpoint: PretrainedCheckpoint, spec: TeacherSpec, device: torch.device
    ) -> None:
        super().__init__(checkpoint, spec, device)
        config = checkpoint.config
        self.width = int(config.get("hidden_size") or config.get("dim") or config.get("d_model", 0))
        self.layer_count = int(
            config.get("num_hidden_layers") or config.get("n_layers") or config.get("num_layers", 0)
        )
        self.longest = int(config.get("max_position_embeddings") or LONGEST)
        self.grid = self.longest
        self.layers = tuple(spec.layers)
        self.class_order: tuple[int, ...] | None = None
        self.model: nn.Module | None = None

    @cached_property
    def tokens(self) -> Tokens:
        """Its tokenizer."""
        return from_checkpoint(self.checkpoint.source, self.checkpoint.folder is not None)

    def rename(self, name: str) -> str | None:
        """A head for another task is not loaded."""
        return None if name.startswith(HEADS) else name

    def know(self, classes: Sequence[str]) -> bool:
        """Whether its own classes are these, by name, or by number where they have no names."""
        own = learnt_classes(self.checkpoint.config, "ForSequenceClassification")
        self.class_order = order_of(own, classes)
        if self.class_order is None:
            return False
        self.gives = self.gives | {"logits"}
        return True

    @property
    def logits_key(self) -> str | None:
        """The order of the classes: the logits are put into it."""
        return None if self.class_order is None else f"own-{self.class_order}"

    def settings(self) -> Mapping[str, object]:
        config = {k: v for k, v in self.checkpoint.config.items() if k != "transformers_version"}
        return {"text": config, "precision": self.precision, "dtype": str(self.dtype)}

    def load(self) -> None:
        if self.model is None:
            model = _load(self.checkpoint, self.dtype, with_head=self.class_order is not None)
            quantize_linear(model, self.precision, self.dtype)
            self.model = model.to(self.device).eval()

    def forget(self) -> None:
        self.model = None

    def prepare(self, images_BCHW: Tensor) -> Tensor:
        """(B, 3, L) int64: ids, mask, types. ValueError for more tokens than it has positions."""
        if images_BCHW.ndim != 3 or images_BCHW.shape[2] > self.longest:
            raise ValueError(f"expected (B, 3, L <= {self.longest}): {tuple(images_BCHW.shape)}")
        self.load()
        return images_BCHW.to(self.device)

    def answer(self, pixels_BCHW: Tensor) -> Signals:
        assert self.model is not None, "prepare loads it"
        answer = self._run(self.model, pixels_BCHW)
        tokens_BHWD, layers_BHWD = self._dense(answer, pixels_BCHW)
        logits_BK = None
        if self.class_order is not None:
            logits_BK = answer.logits.float()[:, list(self.class_order)]
        return Signals(
            pooled_BD=self.pool(tokens_BHWD, pixels_BCHW),
            tokens_BHWD=tokens_BHWD,
            logits_BK=logits_BK,
            layers_BHWD=layers_BHWD,
        )

    def look(self, model: nn.Module, pixels_BCHW: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Words and the hidden layers asked for, float32; gradient flows if it is on."""
        return self._dense(self._run(model, pixels_BCHW), pixels_BCHW)

    def pool(self, tokens_BHWD: Tensor, pixels_BCHW: Tensor) -> Tensor:
        """(B, D): the mean of the words that are no padding."""
        count_B1 = pixels_BCHW[:, 1].sum(1, keepdim=True).clamp_min(1)
        return tokens_BHWD.sum((1, 2)) / count_B1

    def _run(self, model: nn.Module, ids_B3L: Tensor) -> TextOutput:
        ids_BL, mask_BL, types_BL = ids_B3L.unbind(1)
        options = {"token_type_ids": types_BL} if self._takes_types(model) else {}
        answer: TextOutput = model(
            input_ids=ids_BL,
            attention_mask=mask_BL,
            output_hidden_states=True,
            return_dict=True,
            **options,
        )
        return answer

    @staticmethod
    def _takes_types(model: nn.Module) -> bool:
        return int(getattr(model.config, "type_vocab_size", 0) or 0) > 1

    def _dense(self, answer: TextOutput, ids_B3L: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        mask_BL11 = ids_B3L[:, 1, :, None, None]
        hidden = answer.hidden_states

        def words(hidden_BLD: Tensor) -> Tensor:
            return hidden_BLD.float()[:, :, None] * mask_BL11

        return words(hidden[-1]), tuple(words(hidden[one + 1]) for one in self.layers)


def _load(checkpoint: PretrainedCheckpoint, dtype: torch.dtype, with_head: bool) -> nn.Module:
    from transformers import AutoModel, AutoModelForSequenceClassification

    auto = AutoModelForSequenceClassification if with_head else AutoModel
    with quiet_transformers():
        model, info = auto.from_pretrained(
            checkpoint.source,
            dtype=dtype,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=checkpoint.folder is not None,
            output_loading_info=True,
        )
    may_lack = ("pooler",) if with_head else MAY_LACK
    refuse_missing_weights(checkpoint, info["missing_keys"], may_lack)
    frozen: nn.Module = model.requires_grad_(False)
    return frozen


def recognises(checkpoint: PretrainedCheckpoint) -> bool:
    """What AutoModelForSequenceClassification loads, and sees nothing."""
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES,
    )

    refuse_foreign_code(checkpoint)
    reads = checkpoint.model_type in MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES
    return reads and not sees_images(checkpoint.config)


@register.teacher(
    "hf_text",
    gives={"pooled", "tokens", "layers", "logits"},
    reads="text",
    recognises=recognises,
    strict=True,
    precedence=LAST,
    licence="the checkpoint's own",
    source="https://huggingface.co/models?pipeline_tag=text-classification",
    models=["BERT", "RoBERTa", "DistilBERT", "ELECTRA", "ERNIE"],
    zh="transformers 能加载的文本分类器或编码器，来自文件夹或 Hub ID。",
)
def open_hf_text(spec: TeacherSpec, device: torch.device) -> HfTextTeacher:
    """A text classifier or encoder that transformers loads, from a folder or a hub id."""
    family_of(spec.model_copy(update={"family": "hf_text"}))
    return HfTextTeacher(checkpoint_of(spec), spec, device)
