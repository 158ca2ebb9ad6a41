"""What passes between the parts of a run.

Tensors carry their shape as a suffix:
    B  samples of a batch        C  channels (3, RGB)        H, W  rows and columns, raster order
    D  feature width             K  classes                  S     pixels a side
    N  samples of a data set     F  folds of a probe
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from tandem.data.content import UNLABELLED as UNLABELLED
from tandem.spec.errors import StudentError

RowIndices = NDArray[np.int64]
"""Rows of a table, or a number of each (its view, its fold)."""


class Options(BaseModel):
    """Base of a plug-in's own knobs; the catalog lists their JSON Schema."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class Signals:
    """What a teacher gives of a batch. A part it does not give is None."""

    pooled_BD: Tensor | None = None
    tokens_BHWD: Tensor | None = None
    """Dense features in raster order: row 0 is the top of the picture, column 0 its left."""
    logits_BK: Tensor | None = None
    class_map_BHWK: Tensor | None = None
    layers_BHWD: tuple[Tensor, ...] = ()
    """Tokens of the hidden layers that were asked for, in that order."""

    def to(self, device: torch.device, dtype: torch.dtype = torch.float32) -> Signals:
        """The same on `device`, in `dtype`."""

        def move(x: Tensor | None) -> Tensor | None:
            return None if x is None else x.to(device, dtype, non_blocking=True)

        layers = tuple(x.to(device, dtype, non_blocking=True) for x in self.layers_BHWD)
        return Signals(
            move(self.pooled_BD),
            move(self.tokens_BHWD),
            move(self.logits_BK),
            move(self.class_map_BHWK),
            layers,
        )


@dataclass(frozen=True)
class StepOutput:
    """What a student gives of a batch: its taps carry the names of `Signals`' parts."""

    logits_BK: Tensor
    pooled_BD: Tensor
    tokens_BHWD: Tensor | None = None
    layers_BHWD: tuple[Tensor, ...] = ()
    """Tokens of each stage (ResNet) or block (ViT) asked for, first to last."""
    class_map_BHWK: Tensor | None = None
    """Segmentation: class scores of each pixel. `logits_BK` is then its mean over the pixels."""
    taught_BK: Tensor | None = None
    """Class scores of a second head, which learns from the teacher alone (`student.dual_head`)."""
    boxes_BCA: Tensor | None = None
    """Detection, in evaluation mode: (B, 4 + K, A): centre x, centre y, width, height in pixels of
    the input, then each class's score of 0 to 1, of every anchor before any is suppressed.
    `logits_BK` is then each class's highest logit."""


@dataclass(frozen=True)
class Batch:
    """One step's samples. `label_BK` differs from one-hot only under mixup and cutmix."""

    inputs: Tensor
    """What the student is called with. Pictures (B, 3, S, S) and clips (B, T, 3, S, S): from the
    loader uint8, to models float of 0 to 1 (each model normalises for itself). Texts (B, 3, L)
    int64: token ids, attention mask, token types."""
    labels_B: Tensor
    """int64 class, UNLABELLED where there is none."""
    index_B: RowIndices
    """Rows of the ImageTable."""
    view_B: NDArray[np.int64]
    """Which of the image's views this is."""
    label_BK: Tensor | None = None
    """Soft targets after mixup or cutmix; rows without a label are zero."""
    mask_BHW: Tensor | None = None
    """Segmentation: uint8 class of each pixel, IGNORED where nobody is asked."""
    foreground_BHW: Tensor | None = None
    """Detection: how surely each cell holds something, by a detector that teaches."""

    @property
    def cell_weight_BHW(self) -> Tensor | None:
        """How much each cell of tokens and layers counts in a term on features: padding of texts
        (B, L, 1) does not, and a detector's cells do by their foreground. None: all alike."""
        if self.foreground_BHW is not None:
            return self.foreground_BHW
        is_text = self.inputs.ndim == 3 and not self.inputs.is_floating_point()
        return self.inputs[:, 1, :, None] if is_text else None

    labelled_B: Tensor | None = None
    """On the CPU, bool: the rows with any label, also after mixing. None: not looked at yet."""

    def pin_memory(self) -> Batch:
        """The same in page-locked memory; torch's loader calls it so. Only where there is CUDA."""
        mask_BHW = None if self.mask_BHW is None else self.mask_BHW.pin_memory()
        inputs, labels_B = self.inputs.pin_memory(), self.labels_B.pin_memory()
        return replace(self, inputs=inputs, labels_B=labels_B, mask_BHW=mask_BHW)


class Shows(Protocol):
    """`views.Views`: the crops, flips and colours of a table's pictures."""

    def params(self, index: ArrayLike, view: ArrayLike) -> NDArray[np.void]:
        """`views.PARAMS` of these rows in these views, in the shape that the two broadcast to."""
        ...

    def show_file(
        self, path: Path, params_V: NDArray[np.void], size: int, max_pixels: int
    ) -> list[NDArray[np.uint8]]:
        """(3, size, size) of each view of a picture's file."""
        ...


@dataclass(frozen=True)
class ImageTable:
    """The images of one split, as columns: no Python object per image."""

    root: Path
    paths_N: NDArray[np.bytes_]
    """UTF-8 (surrogateescape) relative to root."""
    labels_N: NDArray[np.int64]
    hashes_N: NDArray[np.uint8]
    """(N, 16): blake2b of the file's bytes."""
    classes: tuple[str, ...]
    notes: tuple[str, ...] = ()
    """What the reader decided that a person should know."""

    def __len__(self) -> int:
        return len(self.labels_N)

    def path(self, row: int) -> Path:
        """The file of one row."""
        return self.root / bytes(self.paths_N[row]).decode("utf-8", "surrogateescape")

    def class_counts(self) -> NDArray[np.int64]:
        """(K,) how often each class is labelled."""
        return np.bincount(self.labels_N[self.labels_N >= 0], minlength=len(self.classes))

    def strata(self) -> NDArray[np.int64]:
        """(N,) the group of each row: its class, or the set of classes in it."""
        return self.labels_N

    def label_digests(self) -> NDArray[np.uint64]:
        """(N,) a number for what is said of each row: another where a label has changed."""
        return self.labels_N.astype(np.uint64)

    def rows(self, rows: NDArray[np.int64]) -> Self:
        """The table of these rows only."""
        return replace(
            self,
            paths_N=self.paths_N[rows],
            labels_N=self.labels_N[rows],
            hashes_N=self.hashes_N[rows],
        )

    def blank(self, count: int, size: int) -> NDArray[np.generic]:
        """Room for `count` of what `shown` gives."""
        return np.empty((count, 3, size, size), np.uint8)

    def shown(
        self, views: Shows, row: int, params_V: NDArray[np.void], size: int, max_pixels: int
    ) -> list[NDArray[np.generic]]:
        """One row in several views, as a student or a teacher is shown it."""
        return list(views.show_file(self.path(row), params_V, size, max_pixels))

    def batch(
        self,
        views: Shows,
        index_B: NDArray[np.int64],
        view_B: NDArray[np.int64],
        size: int,
        max_pixels: int,
    ) -> Batch:
        """These rows in these views, on the CPU. DataError for a file that went bad."""
        inputs = self.blank(len(index_B), size)
        params_B = views.params(index_B, view_B)
        for place, row in enumerate(index_B.tolist()):
            one = params_B[place : place + 1]
            inputs[place] = self.shown(views, row, one, size, max_pixels)[0]
        labels_B = torch.from_numpy(self.labels_N[index_B])
        return Batch(torch.from_numpy(inputs), labels_B, index_B, view_B)


@dataclass(frozen=True)
class Splits:
    """What a format reads: train (its unlabelled rows labelled -1), val and test, same classes.

    `labels_N` of masks says whether there is one: 0 or UNLABELLED.
    """

    train: ImageTable
    val: ImageTable
    kind: str = "classification"
    notes: tuple[str, ...] = ()
    test: ImageTable | None = None
    """Labelled rows that nothing is chosen on, measured once at the end; None where the data set
    has no such split."""

    def measured_on_test(self) -> Self:
        """The same with the test split where `val` is, for whoever measures on `val`."""
        assert self.test is not None, "there is a test split"
        return replace(self, val=self.test)

    def class_counts(self) -> NDArray[np.int64]:
        """(K,) how often each class is in train: rows, boxes, or pixels of masks."""
        return self.train.class_counts()

    def train_strata(self) -> NDArray[np.int64]:
        """(N,) the group of each row of train, of which a part of the data takes its share."""
        return self.train.strata()

    def label_digests(self) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """(train, val): a number for what is said of each row."""
        return self.train.label_digests(), self.val.label_digests()

    def train_rows(self, rows_N: NDArray[np.int64]) -> Self:
        """The same with only these rows to learn from."""
        return replace(self, train=self.train.rows(rows_N))


class Teacher(Protocol):
    """A frozen large model that turns inputs into `Signals`.

    Attributes that a property gives may cost reading the weights; nothing else does before the
    first `signals`.
    """

    gives: frozenset[str]
    """Which of pooled, tokens, layers and logits it gives."""
    image_size: int
    """Pixels a side it is shown; 0 where it reads texts."""
    parameters: int
    grid: int
    """Rows (and columns) of `tokens_BHWD`."""
    width: int
    """D of `tokens_BHWD`, `pooled_BD` and each of `layers_BHWD`."""
    layer_count: int
    layers: tuple[int, ...]
    """Which hidden layers `layers_BHWD` gives, from 0; set it before asking. Empty: none."""

    @property
    def fingerprint(self) -> str:
        """Changes when a weight, the precision or the input size does: the cache's key."""
        ...

    @property
    def logits_key(self) -> str | None:
        """What `logits_BK` depend on besides `fingerprint` (the question asked, the order of the
        classes); None where it gives none for this run."""
        ...

    def know(self, classes: Sequence[str]) -> bool:
        """Whether it was trained on these very classes, in whatever order; from then on it gives
        `logits_BK`, in this order. False of a model that knows no classes by itself."""
        ...

    def signals(self, images_BCHW: Tensor) -> Signals:
        """Float images of 0 to 1 at `image_size`; no gradient flows back. float32 on its device.

        A teacher of texts is given (B, 3, L) int64: token ids, attention mask, token types.
        """
        ...

    def unload(self) -> None:
        """Free the weights; the next `signals` loads them again."""


class SignalSource(Protocol):
    """Where a step gets the teacher's signals."""

    def signals(self, index_B: RowIndices, view_B: RowIndices) -> Signals:
        """The signals of these rows of the train table in these views, float32 on the step's
        device."""
        ...


class Reprojection(Protocol):
    """How dense tokens were made smaller, as far as a linear head on them must know."""

    def reproject(self, weight_KD: Tensor) -> tuple[Tensor, Tensor]:
        """A linear head on the full tokens as one on the reduced: its weight, and what to add."""
        ...


class TeacherSource(SignalSource, Protocol):
    """A teacher's signals of every row of one table: read from the cache, or asked for."""

    @property
    def tokens_width(self) -> int | None:
        """D of `tokens_BHWD` as they are kept; None where no tokens were asked for."""
        ...

    @property
    def layer_widths(self) -> tuple[int, ...]:
        """D of each of `layers_BHWD` as they are kept."""
        ...

    @property
    def reduction(self) -> Reprojection | None:
        """How the tokens were made smaller."""
        ...

    @property
    def teacher_forwards(self) -> int:
        """Inputs that went through the teacher so far, those that only verified included."""
        ...

    def pooled_ND(self, view: int = 0) -> NDArray[np.float32]:
        """(N, D): pooled features of every row in one view."""
        ...


@dataclass(frozen=True)
class HeadShape:
    """What a loss's own module is built for (`@register.loss(head=…)`)."""

    num_classes: int
    tokens_width: int
    """How wide the tokens are that the loss is given: projected where it asks for that."""
    layer_widths: tuple[int, ...]
    """How wide each of the student's `layers_BHWD` is that are taken."""


class Student(nn.Module):
    """A small model. `normalise` first, so that every caller gives images of 0 to 1."""

    mean: Sequence[float] = (0.485, 0.456, 0.406)
    std: Sequence[float] = (0.229, 0.224, 0.225)
    image_size: int
    num_classes: int
    pooled_width: int
    tokens_width: int
    tokens_grid: int
    """Rows (and columns) of `tokens_BHWD` at image_size."""
    layer_widths: Sequence[int] = ()
    """Width of each stage or block that `layers_BHWD` can give."""
    notes: tuple[str, ...] = ()
    """What was decided in building it that a person should know."""

    def forward(self, images_BCHW: Tensor, layers: Sequence[int] = ()) -> StepOutput:  # noqa: ARG002
        raise NotImplementedError

    def check_layers(self, layers: Sequence[int]) -> None:
        """StudentError for a layer that does not exist."""
        wrong = [layer for layer in layers if not 0 <= layer < len(self.layer_widths)]
        if wrong:
            raise StudentError(
                "The student has no layer {layer}: it has {count}, counted from 0.",
                layer=wrong[0],
                count=len(self.layer_widths),
                fix="Change loss.intermediate_layers.",
            )

    def example(self, count: int) -> Tensor:
        """Inputs of the right form, to trace, check and time it with: smooth, and no two alike."""
        size = self.image_size
        ramp = torch.linspace(0, 7 * count, count * 3 * size * size)
        return (0.5 + 0.5 * torch.sin(ramp)).reshape(count, 3, size, size)


class ProgressReporter(Protocol):
    """How a long part tells what it is doing, without knowing who listens."""

    def notice(self, message: str, warning: bool = False) -> None:
        """A sentence for the person watching."""

    def progress(self, doing: str, done: int, total: int) -> None:
        """How far a long part is; also proof that the run is alive."""


class SilentProgress(ProgressReporter):
    """Listens to nothing."""

    def notice(self, message: str, warning: bool = False) -> None:
        pass

    def progress(self, doing: str, done: int, total: int) -> None:
        pass
