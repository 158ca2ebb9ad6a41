"""Every image encoder that transformers' AutoModel loads: ViT, DINOv2 and 3, SigLIP, CLIP, Swin."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from math import isqrt
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor, nn

from tandem.spec.errors import TeacherError
from tandem.spec.run import TeacherSpec
from tandem.train.pretrained.checkpoint import PretrainedCheckpoint
from tandem.train.pretrained.frozen import FrozenTeacher
from tandem.train.pretrained.pixels import native_side
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

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

# Weights of heads that these signals do not come from may be absent.
MAY_LACK = ("pooler", "head", "classifier", "mask_token", "text_model", "logit_")
MAY_LACK_WITH_HEAD = ("pooler", "mask_token", "text_model", "logit_")
TWO_TOWERS = ("clip", "siglip", "siglip2", "chinese_clip", "altclip", "metaclip_2")
"""Models of a text and an image tower: the image tower alone is a teacher."""
TEXT_SIDE = ("text_model.", "text_projection", "visual_projection", "logit_")


class VisionOutput(Protocol):
    """What is read of transformers' answer."""

    last_hidden_state: Tensor
    hidden_states: tuple[Tensor, ...] | None
    """The embeddings' and each layer's, where they were asked for."""


class ClassifierOutput(Protocol):
    """The same of a model with a head."""

    logits: Tensor
    """(B, K)."""


class HfVisionTeacher(FrozenTeacher):
    """Tokens are the patches' of the last layer in raster order, class and register tokens left
    out; pooled is their mean, so that a linear probe on it gives a class map per token.

    Where it was fine-tuned on the run's classes, `logits_BK` are its own head's, in the order of
    `class_order`.
    """

    def __init__(
        self, checkpoint: PretrainedCheckpoint, spec: TeacherSpec, device: torch.device
    ) -> None:
        self.config = vision_config(checkpoint)
        native = native_side(checkpoint) or _side_of(self.config)
        super().__init__(checkpoint, spec, device, _unit(self.config), native)
        self.model: nn.Module | None = None
        """The encoder alone, also where its head is loaded around it."""
        self.classifier: nn.Module | None = None
        self.class_order: tuple[int, ...] | None = None
        self.side = self.image_size // _unit(self.config)
        self.layer_count = 0
        self.grid, self.width, self.layer_count = self._shape()
        self.layers = tuple(spec.layers)
        if not self.layer_count:
            self.gives = self.gives - {"layers"}

    def rename(self, name: str) -> str | None:
        """A text tower beside the image encoder is not loaded."""
        return None if name.startswith(TEXT_SIDE) else name

    def know(self, classes: Sequence[str]) -> bool:
        """Whether its head's classes are these, by name, or by number where they have no names."""
        own = learnt_classes(self.checkpoint.config, "ForImageClassification")
        self.class_order = order_of(own, classes)
        if self.class_order is None or not _loads_with_head(self.checkpoint):
            self.class_order = None
            return False
        self.gives = self.gives | {"logits"}
        self.forget()
        return True

    @property
    def logits_key(self) -> str | None:
        """The order of the classes: the logits are put into it."""
        return None if self.class_order is None else f"own-{self.class_order}"

    def load(self) -> None:
        if self.model is not None:
            return
        if self.class_order is None:
            model = _load(self.checkpoint, self.config, self.dtype)
        else:
            model = _load_with_head(self.checkpoint, self.dtype)
        quantize_linear(model, self.precision, self.dtype)
        model = model.to(self.device).eval()
        if self.class_order is None:
            self.model = model
        else:
            self.model, self.classifier = _encoder_of(model), model

    def forget(self) -> None:
        self.model = self.classifier = None

    def answer(self, pixels_BCHW: Tensor) -> Signals:
        assert self.model is not None, "prepare loads it"
        logits_BK = None
        if self.classifier is None or self.class_order is None:
            answer = _run(self.model, pixels_BCHW, hidden=bool(self.layers))
        else:
            answer, own_BK = _run_both(self.classifier, self.model, pixels_BCHW, bool(self.layers))
            logits_BK = own_BK[:, list(self.class_order)]
        tokens_BHWD, layers_BHWD = self._dense(answer)
        return Signals(
            pooled_BD=self.pool(tokens_BHWD, pixels_BCHW),
            tokens_BHWD=tokens_BHWD,
            logits_BK=logits_BK,
            layers_BHWD=layers_BHWD,
        )

    def look(self, model: nn.Module, pixels_BCHW: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Tokens and the hidden layers asked for, float32; gradient flows if it is on."""
        return self._dense(_run(model, pixels_BCHW, hidden=bool(self.layers)))

    def _dense(self, answer: VisionOutput) -> tuple[Tensor, tuple[Tensor, ...]]:
        hidden = answer.hidden_states or ()
        layers = tuple(to_grid(hidden[i + 1], self.side) for i in self.layers)
        return to_grid(answer.last_hidden_state, self.side), layers

    def pool(self, tokens_BHWD: Tensor, pixels_BCHW: Tensor) -> Tensor:  # noqa: ARG002
        """(B, D): the mean of the patches."""
        return tokens_BHWD.mean(dim=(1, 2))

    def _shape(self) -> tuple[int, int, int]:
        """Grid, width and layers, found by running the architecture without any weight."""
        from transformers import AutoModel

        side = self.image_size
        try:
            with torch.device("meta"), torch.no_grad(), quiet_transformers():
                model = AutoModel.from_config(self.config).eval()
                answer = _run(model, torch.zeros(1, 3, side, side), hidden=True)
                tokens_BHWD = to_grid(answer.last_hidden_state, self.side)
        except (ValueError, TypeError, RuntimeError, AttributeError) as error:
            raise TeacherError(
                "The teacher {name} ({type}) cannot be shown pictures of {side} pixels: {error}",
                name=self.checkpoint.name,
                type=self.checkpoint.model_type,
                side=side,
                error=error,
                fix="Set teacher.image_size to the size it was trained with, or choose another.",
            ) from error
        hidden = answer.hidden_states or ()
        same = len(hidden) > 1 and all(x.shape == hidden[0].shape for x in hidden)
        grid, width = int(tokens_BHWD.shape[1]), int(tokens_BHWD.shape[-1])
        return grid, width, len(hidden) - 1 if same else 0


def _run(model: nn.Module, pixels_BCHW: Tensor, hidden: bool) -> VisionOutput:
    answer: VisionOutput = model(pixels_BCHW, **_options(model, hidden))
    return answer


def _options(encoder: nn.Module, hidden: bool) -> dict[str, bool]:
    """How transformers is asked, so that pictures may have whatever size."""
    options = {"return_dict": True, "output_hidden_states": hidden}
    if "interpolate_pos_encoding" in inspect.signature(encoder.forward).parameters:
        options["interpolate_pos_encoding"] = True
    return options


def _run_both(
    classifier: nn.Module, encoder: nn.Module, pixels_BCHW: Tensor, hidden: bool
) -> tuple[VisionOutput, Tensor]:
    """One pass: what the encoder within gives, and the head's (B, K) float32."""
    found: list[VisionOutput] = []
    hook = encoder.register_forward_hook(lambda _module, _inputs, output: found.append(output))
    try:
        answer: ClassifierOutput = classifier(pixels_BCHW, **_options(encoder, hidden))
    finally:
        hook.remove()
    return found[0], answer.logits.float()


def to_grid(hidden: Tensor, side: int) -> Tensor:
    """(B, prefix + g*g, D) or (B, D, g, g) to (B, g, g, D), float32.

    The patches come last; what precedes them are class and register tokens. `side` is the picture's
    side in patches; an encoder that merges patches on its way (Swin) ends with fewer.
    """
    if hidden.ndim == 4:
        return hidden.permute(0, 2, 3, 1).float()
    g = side if hidden.shape[1] >= side * side else isqrt(hidden.shape[1])
    patches: Tensor = hidden[:, -g * g :].float()
    return patches.reshape(len(patches), g, g, -1)


def vision_config(checkpoint: PretrainedCheckpoint) -> PreTrainedConfig:
    """The image encoder's configuration; the vision part's of a two-tower model."""
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(
            checkpoint.source,
            trust_remote_code=False,
            local_files_only=checkpoint.folder is not None,
        )
    except (OSError, ValueError, KeyError) as error:
        raise TeacherError(
            "The teacher {name} is a {type}, which the installed transformers cannot read.",
            name=checkpoint.name,
            type=checkpoint.model_type,
            fix="Check its config.json, or choose another teacher.",
        ) from error
    vision: PreTrainedConfig = getattr(config, "vision_config", config)
    return vision


def _load(
    checkpoint: PretrainedCheckpoint, config: PreTrainedConfig, dtype: torch.dtype
) -> nn.Module:
    from transformers import AutoModel

    with quiet_transformers():
        model, info = AutoModel.from_pretrained(
            checkpoint.source,
            config=config,
            dtype=dtype,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=checkpoint.folder is not None,
            output_loading_info=True,
        )
    refuse_missing_weights(checkpoint, info["missing_keys"], MAY_LACK)
    frozen: nn.Module = model.requires_grad_(False)
    return frozen


def _loads_with_head(checkpoint: PretrainedCheckpoint) -> bool:
    """Whether transformers has a classifier of it whose encoder it built itself."""
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES as READ,
    )

    return checkpoint.model_type in READ and checkpoint.model_type != "timm_wrapper"


def _load_with_head(checkpoint: PretrainedCheckpoint, dtype: torch.dtype) -> nn.Module:
    from transformers import AutoModelForImageClassification

    with quiet_transformers():
        model, info = AutoModelForImageClassification.from_pretrained(
            checkpoint.source,
            dtype=dtype,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=checkpoint.folder is not None,
            output_loading_info=True,
        )
    refuse_missing_weights(checkpoint, info["missing_keys"], MAY_LACK_WITH_HEAD)
    frozen: nn.Module = model.requires_grad_(False)
    return frozen


def _encoder_of(classifier: nn.Module) -> nn.Module:
    """The encoder that a model with a head is built around: of two towers, the image one's."""
    for name in (str(getattr(classifier, "base_model_prefix", "")), "vision_model"):
        encoder = getattr(classifier, name, None) if name else None
        if isinstance(encoder, nn.Module):
            return encoder
    raise TypeError(f"{type(classifier).__name__} names no encoder of its own")


def _unit(config: PreTrainedConfig) -> int:
    """What the picture's side is a multiple of."""
    patch = getattr(config, "patch_size", 1)
    return int(patch[0] if isinstance(patch, list | tuple) else patch)


def _side_of(config: PreTrainedConfig) -> int | None:
    side = getattr(config, "image_size", None)
    return int(side[0] if isinstance(side, list | tuple) else side) if side else None


def recognises(checkpoint: PretrainedCheckpoint) -> bool:
    """An image encoder; of models that also write or read texts, those with a tower for images
    alone: another vision-language model's tower is not what was asked for."""
    refuse_foreign_code(checkpoint)
    config = checkpoint.config
    whole = "text_config" not in config or checkpoint.model_type in TWO_TOWERS
    return sees_images(config) and whole


@register.teacher(
    "hf_vision",
    gives={"pooled", "tokens", "layers", "logits"},
    recognises=recognises,
    strict=True,
    precedence=LAST,
    licence="the checkpoint's own",
    source="https://huggingface.co/models?pipeline_tag=image-feature-extraction",
    models=["ViT", "DINOv2", "DINOv3", "SigLIP", "CLIP"],
    zh="transformers 能加载的图像分类器或编码器，来自文件夹或 Hub ID。",
)
def open_hf_vision(spec: TeacherSpec, device: torch.device) -> HfVisionTeacher:
    """An image classifier or encoder that transformers loads, from a folder or a hub id."""
    family_of(spec.model_copy(update={"family": "hf_vision"}))
    return HfVisionTeacher(checkpoint_of(spec), spec, device)
