"""What most kinds do alike: a kind inherits it and states where it differs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from tandem.spec.errors import SpecError
from tandem.spec.run import RunSpec
from tandem.train.cache import open_source
from tandem.train.cache.request import SourceRequest, SourceSetup
from tandem.train.data.augment import Views
from tandem.train.knowledge.base import Knowledge
from tandem.train.knowledge.own import OwnLogits
from tandem.train.types import (
    Batch,
    ImageTable,
    RowIndices,
    Splits,
    Student,
    Teacher,
    TeacherSource,
)


class KindDefaults:
    """The rules of a kind, as most have them."""

    name: str
    mixes = True
    """Whether two samples can be mixed into one."""
    distorts = True
    """Whether RandAugment, grey, blur and erasing mean something of its samples, by `views`."""
    balances = False
    """Whether each row has one class, so that rows can be drawn by it."""
    adapts_teacher = True

    def check(self, spec: RunSpec) -> None:
        """SpecError for augmentation and sampling that mean nothing of these samples."""
        views = spec.views
        if not self.distorts and any((views.randaugment, views.grey, views.blur, views.erasing)):
            raise SpecError(
                "RandAugment, grey, blur and erasing of views do nothing in {kind}.",
                kind=self.name,
                fix="Set views.randaugment, views.grey, views.blur and views.erasing to 0, and "
                "views.recipe to plain.",
            )
        if not self.balances and spec.data.sampling == "balanced":
            raise SpecError(
                "data.sampling balanced draws samples by their one class, which {kind} lacks.",
                kind=self.name,
                fix="Set data.sampling to shuffled; loss.class_weights balanced weighs classes.",
            )
        if not self.mixes and (spec.views.mixup > 0 or spec.views.cutmix > 0):
            raise SpecError(
                "Mixup and cutmix are for pictures of one class, not for {kind}.",
                kind=self.name,
                fix="Set views.mixup and views.cutmix to 0.",
            )

    def without_adapter(self, spec: RunSpec) -> RunSpec | None:
        """The spec with rank 0, where LoRA was meant for a teacher and cannot teach it this."""
        if self.adapts_teacher or spec.lora.rank == 0 or spec.lora.on == "student":
            return None
        if spec.mode == "direct":
            return None
        return spec.model_copy(update={"lora": spec.lora.model_copy(update={"rank": 0})})

    def complete(self, spec: RunSpec, splits: Splits) -> RunSpec:  # noqa: ARG002
        """The spec as it is."""
        return spec

    def teacher_image_size(self, spec: RunSpec) -> int | None:  # noqa: ARG002
        """None: the checkpoint's own."""
        return None

    def files(self) -> dict[str, str]:
        """None: the weights are enough."""
        return {}


class TableKindDefaults(KindDefaults):
    """The rest of a `TableKind` that most have alike.

    A kind adds `primary_metric_name`, `hard_loss`, `read`, `evaluator`, `correct`, `fit_probe` and
    `add_class_scores`.
    """

    shows_images = True
    crops_images = True

    def views(self, table: ImageTable, spec: RunSpec) -> Views:
        """The crops, flips and colours of `spec.views`."""
        return Views.draw(table, spec.views)

    def targets(self, table: ImageTable, rows_B: RowIndices, spec: RunSpec) -> Batch:  # noqa: ARG002
        """The labels of these rows; inputs are not needed here."""
        labels_B = torch.from_numpy(table.labels_N[rows_B])
        return Batch(torch.empty(0), labels_B, rows_B, np.zeros_like(rows_B))

    def teacher_table(self, table: ImageTable, teacher: Teacher) -> ImageTable:  # noqa: ARG002
        """The student's own table."""
        return table

    def teacher_groups(self, table: ImageTable) -> RowIndices | None:  # noqa: ARG002
        """None: a row is shown whole."""
        return None

    def looks(
        self,
        teacher: Teacher,  # noqa: ARG002
        request: SourceRequest,
        spec: RunSpec,  # noqa: ARG002
    ) -> SourceRequest:
        """As it is."""
        return request

    def open_source(
        self, teacher: Teacher, request: SourceRequest, setup: SourceSetup, spec: RunSpec
    ) -> TeacherSource:
        """From the cache or the teacher, row by row as the student is shown them."""
        return open_source(teacher, self.looks(teacher, request, spec), setup)

    def wants_tokens(self, asks_classes: bool) -> bool:  # noqa: ARG002
        """No: classes are of whole rows."""
        return False

    def dense_grid(self, student: Student, teacher: Teacher) -> int:  # noqa: ARG002
        """The student's own: a finer one would be pooled to it in every step."""
        return student.tokens_grid

    def own_knowledge(
        self,
        teacher: Teacher,  # noqa: ARG002
        source: TeacherSource,  # noqa: ARG002
        temperature: Callable[[], float],
    ) -> Knowledge:
        """`logits_BK` of the signals."""
        return OwnLogits("own", temperature())
