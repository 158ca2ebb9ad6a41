"""What all teachers from a checkpoint share: cheap to open, loaded when asked, freed when done."""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from tandem.spec.errors import TeacherError
from tandem.spec.run import TeacherSpec
from tandem.train.pretrained.checkpoint import PretrainedCheckpoint
from tandem.train.pretrained.fingerprint import fingerprint
from tandem.train.pretrained.pixels import read_preparation
from tandem.train.pretrained.quantize import compute_dtype, resolve_precision
from tandem.train.pretrained.weights import by_file, count_parameters
from tandem.train.types import Signals

USUAL_SIZE = 224
"""Pixels a side where neither the run nor the checkpoint names one."""


class FrozenModel:
    """Opening reads config.json and the weights' headers; no weight."""

    gives: frozenset[str] = frozenset({"pooled", "tokens", "layers"})
    image_size: int
    grid: int
    width: int
    layer_count: int

    def __init__(
        self, checkpoint: PretrainedCheckpoint, spec: TeacherSpec, device: torch.device
    ) -> None:
        self.checkpoint, self.spec, self.device = checkpoint, spec, device
        self.precision = resolve_precision(spec.precision, device)
        self.dtype = compute_dtype(self.precision, device)
        by_file(checkpoint, self.rename)  # every weight file is there, or it is said now
        self.parameters = count_parameters(checkpoint, self.rename)
        self._layers: tuple[int, ...] = ()
        self._fingerprint: str | None = None

    def rename(self, name: str) -> str | None:
        """A checkpoint tensor's name in the model; None when this teacher does not use it."""
        return name

    @property
    def layers(self) -> tuple[int, ...]:
        """Which hidden layers `layers_BHWD` gives, from 0."""
        return self._layers

    @layers.setter
    def layers(self, layers: tuple[int, ...]) -> None:
        wrong = [i for i in layers if not 0 <= i < self.layer_count]
        if wrong:
            raise TeacherError(
                "The teacher {name} has no layer {layer}: it has {count}, numbered from 0.",
                name=self.checkpoint.name,
                layer=wrong[0],
                count=self.layer_count,
                allowed=[f"0-{self.layer_count - 1}"],
                fix="Change teacher.layers, or leave it out.",
            )
        self._layers = tuple(layers)

    @property
    def fingerprint(self) -> str:
        """Over the weights used, the precision, the picture's side and its normalisation."""
        if self._fingerprint is None:
            self._fingerprint = fingerprint(self.checkpoint, self.rename, self.settings())
        return self._fingerprint

    @property
    def logits_key(self) -> str | None:
        """None: without a head of its own it gives no logits."""
        return None

    def know(self, classes: Sequence[str]) -> bool:  # noqa: ARG002
        """False: an encoder knows no classes."""
        return False

    def settings(self) -> Mapping[str, object]:
        """What else than the weights changes the signals."""
        raise NotImplementedError

    def signals(self, images_BCHW: Tensor) -> Signals:
        """What it gives of a batch; float32, no gradient."""
        # Not inference_mode: a student's loss may save these for its backward pass.
        with torch.no_grad():
            return self.answer(self.prepare(images_BCHW))

    def prepare(self, images_BCHW: Tensor) -> Tensor:
        """A batch as the model wants it, on its device; the weights are loaded."""
        raise NotImplementedError

    def answer(self, pixels_BCHW: Tensor) -> Signals:
        """The model's signals of a prepared batch."""
        raise NotImplementedError

    def load(self) -> None:
        """Bring the weights into memory, unless they are there."""
        raise NotImplementedError

    def unload(self) -> None:
        """Free the weights; the next `signals` loads them again."""
        self.forget()
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def forget(self) -> None:
        """Drop every reference to a weight."""
        raise NotImplementedError


class FrozenTeacher(FrozenModel):
    """One that looks at pictures: opening reads its processor's file too."""

    def __init__(
        self,
        checkpoint: PretrainedCheckpoint,
        spec: TeacherSpec,
        device: torch.device,
        unit: int,
        native: int | None = None,
    ) -> None:
        """`unit`: the picture's side is a multiple of it, in pixels. `native`: the side that the
        checkpoint was trained with, shown where the run does not say."""
        side = spec.image_size or native or USUAL_SIZE
        self.image_size = max(unit, round(side / unit) * unit)
        self.preparation = read_preparation(checkpoint)
        super().__init__(checkpoint, spec, device)

    def settings(self) -> Mapping[str, object]:
        """What else than the weights changes the signals."""
        vision = self.checkpoint.config.get("vision_config", self.checkpoint.config)
        return {
            "model_type": self.checkpoint.model_type,
            "vision": {k: v for k, v in vision.items() if k not in ("transformers_version",)},
            "precision": self.precision,
            "dtype": str(self.dtype),
            "image_size": self.image_size,
            "mean": self.preparation.mean,
            "std": self.preparation.std,
        }

    def prepare(self, images_BCHW: Tensor) -> Tensor:
        """Normalised, on the teacher's device; ValueError for pictures of another size."""
        side = self.image_size
        if images_BCHW.shape[1:] != (3, side, side):
            raise ValueError(f"expected (B, 3, {side}, {side}), got {tuple(images_BCHW.shape)}")
        self.load()
        return self.preparation.normalise(images_BCHW, self.device, self.dtype)
