"""An earlier student of ours as the teacher of another (Furlanello et al. 2018)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from tandem.spec.errors import StudentError, TeacherError
from tandem.spec.model import FORMAT, ModelConfig
from tandem.spec.run import TeacherSpec
from tandem.train.export import final_model
from tandem.train.grids import pool_to
from tandem.train.pretrained.checkpoint import PretrainedCheckpoint
from tandem.train.registry import register
from tandem.train.types import Signals, StepOutput, Student

MASK_CELLS = 4
"""Pixels of a cell of a mask model's tokens, which are its class scores."""


class TandemTeacher:
    """Tokens are the student's own; of one that gives masks its class chances, four pixels a cell.

    Class scores are its own where its classes are the run's, by name.
    """

    layer_count = 0
    layers: tuple[int, ...] = ()
    calibrated = True
    """Its temperature was fitted when it was trained, and its logits are divided by it."""

    def __init__(self, folder: Path, device: torch.device) -> None:
        self.folder, self.device = folder, device
        self.model: Student | None = None
        student, self.config = _load(folder, device)
        self.masks = self.config.kind == "segmentation"
        self.gives = frozenset({"pooled", "tokens"})
        self.image_size = self.config.image_size
        self.parameters = sum(one.numel() for one in student.parameters())
        self.grid = self.image_size // MASK_CELLS if self.masks else student.tokens_grid
        self.width = len(self.config.classes) if self.masks else student.tokens_width
        self.class_order: tuple[int, ...] | None = None
        weights = (folder / final_model.WEIGHTS).read_bytes()
        self._fingerprint = hashlib.blake2b(weights, digest_size=32).hexdigest()

    @property
    def fingerprint(self) -> str:
        """Changes with the weights; the size is theirs."""
        return self._fingerprint

    def know(self, classes: Sequence[str]) -> bool:
        """Whether its classes are these, in whatever order."""
        own = list(self.config.classes)
        if sorted(own) != sorted(classes):
            return False
        self.class_order = tuple(own.index(one) for one in classes)
        self.gives = self.gives | {"logits"}
        return True

    @property
    def logits_key(self) -> str | None:
        """The order of the classes: the logits are put into it. None for masks, whose tokens are
        the class scores."""
        if self.class_order is None or self.masks:
            return None
        return f"own-{self.class_order}"

    def signals(self, images_BCHW: Tensor) -> Signals:
        """Float images of 0 to 1 at `image_size`; no gradient flows back."""
        if self.model is None:
            self.model, _ = _load(self.folder, self.device)
        with torch.no_grad():
            said: StepOutput = self.model(images_BCHW.to(self.device))
        logits_BK = None
        if self.class_order is not None and not self.masks:
            logits_BK = said.logits_BK[:, list(self.class_order)].float()
            logits_BK = logits_BK / self.config.temperature
        return Signals(
            pooled_BD=said.pooled_BD.float(), tokens_BHWD=self._tokens(said), logits_BK=logits_BK
        )

    def _tokens(self, said: StepOutput) -> Tensor:
        if not self.masks:
            assert said.tokens_BHWD is not None
            return said.tokens_BHWD.float()
        assert said.class_map_BHWK is not None
        chances = F.softmax(said.class_map_BHWK.float(), dim=-1)
        return pool_to(chances, self.grid, self.grid)

    def unload(self) -> None:
        """Free the weights; the next `signals` loads them again."""
        self.model = None


def _load(folder: Path, device: torch.device) -> tuple[Student, ModelConfig]:
    try:
        student, config = final_model.load(folder, device)
    except StudentError as error:
        raise TeacherError(
            "The teacher {path} is no model that Tandem has trained: {reason}",
            path=folder,
            reason=error.sentence(),
        ) from error
    if config.kind not in ("classification", "segmentation"):
        raise TeacherError(
            "A model of the kind {kind} cannot teach from its folder.",
            kind=config.kind,
            allowed=["classification", "segmentation", "detection (family yolov8, yolox)"],
        )
    return student.requires_grad_(False), config


def recognises(checkpoint: PretrainedCheckpoint) -> bool:
    """A final_model folder of anything but boxes."""
    config = checkpoint.raw_config
    return config.get("format") == FORMAT and config.get("kind") != "detection"


@register.teacher(
    "tandem",
    gives={"pooled", "tokens", "logits"},
    recognises=recognises,
    licence="the model's own",
    source="https://arxiv.org/abs/1805.04770",
    models=["a final_model folder"],
    zh="Tandem 之前训练的学生模型，更大或用了更多标签。",
)
def load(spec: TeacherSpec, device: torch.device) -> TandemTeacher:
    """A student that Tandem trained before, larger or on more labels."""
    return TandemTeacher(Path(str(spec.path or spec.name)).expanduser(), device)
