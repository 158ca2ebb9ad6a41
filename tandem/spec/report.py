"""What a finished run says of itself, in `report.json`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from tandem.spec.i18n import t
from tandem.spec.run import RunSpec

SplitName = Literal["train", "val", "test"]
FIGURES = ("accuracy", "miou", "map50")


_Between = Annotated[
    tuple[float, float],
    # Two numbers; a client's generated types know no fixed lengths behind a request.
    WithJsonSchema({"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}),
]


class ReportPart(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="strings")


class ReportedMetrics(ReportPart):
    """On one split; figures are 0 to 1 unless their name says a unit.

    `ece` and `nll` are of the probabilities that are served, `ece_raw` and `nll_raw` of the class
    scores before their temperature, `ece_cross_fitted` and `nll_cross_fitted` with each half of
    the validation samples divided by the temperature that fits the other.
    """

    metrics: dict[str, float]
    intervals: dict[str, _Between] = Field(default_factory=dict)
    """By a figure's name, what holds it in 95 of 100 such data sets: of accuracy by Wilson, of
    macro-F1, mean IoU and mean average precision by bootstrap over the samples."""
    details: dict[str, object] = Field(default_factory=dict)
    """per_class, classes_counted (how many of them the means are over), confusion_matrix (rows:
    the true class; of boxes the last one is nothing)."""

    @property
    def accuracy(self) -> float | None:
        """The figure of its kind: accuracy, of masks mean IoU, of boxes mAP at IoU 0.5."""
        found = [self.metrics[name] for name in FIGURES if name in self.metrics]
        return found[0] if found else None


def counted_classes(details: Mapping[str, object]) -> tuple[int, int] | None:
    """How many classes an evaluation's means are over, and of how many; None where it is all."""
    counted, rows = details.get("classes_counted"), details.get("per_class")
    if not isinstance(counted, int) or not isinstance(rows, list) or counted == len(rows):
        return None
    return counted, len(rows)


def means_note(details: Mapping[str, object]) -> str | None:
    """A sentence of it; None where the means are over all classes."""
    counted = counted_classes(details)
    if counted is None:
        return None
    return t(
        "The means are over {count} of {total} classes: the others have no example to validate on.",
        count=counted[0],
        total=counted[1],
    )


class TeacherCheck(ReportPart):
    """What a teacher's class scores were found to know before the first step."""

    samples: int
    """Labelled samples of train that it was asked about."""
    accuracy: float
    """On them; of a probe or an adapter, by the one that each sample was left out of."""
    chance: float
    """The share of the commonest class."""
    raw_accuracy: float
    """A linear probe's on raw pixels or words, on the same samples in the same folds."""
    harmful: bool
    """Whether it is no better than chance, or clearly worse than the raw probe (McNemar's test)."""
    done: Literal["none", "warn", "scale", "stop"] = "none"
    soft_label_factor: float = 1.0
    """What the weight of its soft labels was multiplied by."""

    def sentence(self) -> str | None:
        """What a person should know of it; None where it is no worse than it should be."""
        if not self.harmful:
            return None
        figures = {
            "teacher": f"{self.accuracy:.1%}",
            "raw": f"{max(self.raw_accuracy, self.chance):.1%}",
        }
        if self.done == "scale":
            return t(
                "The teacher knows less of these classes than raw pixels or words tell "
                "({teacher} against {raw}): the weight of its soft labels is scaled by {factor}.",
                factor=f"{self.soft_label_factor:.2f}",
                **figures,
            )
        return t(
            "The teacher knows less of these classes than raw pixels or words tell ({teacher} "
            "against {raw}): it is likely to mislead the student. Choose another teacher, label "
            "more, or set teacher.if_harmful to scale or stop.",
            **figures,
        )


class TeacherMemberReport(ReportPart):
    """One of several teachers."""

    name: str
    weight: float
    """The weight of its class probabilities among all, 0 to 1."""
    gives_features: bool
    """Whether the dense features that were compared are its own."""
    knowledge: str
    """Where its class scores come from; none: it was not asked about the classes."""
    fingerprint: str
    measured: ReportedMetrics | None = None
    """How good it is alone."""
    check: TeacherCheck | None = None
    """As a single teacher's; its weight is after that."""


class TeacherReport(ReportPart):
    name: str
    parameters: int
    fingerprint: str
    knowledge: str
    """Where its class scores come from: probe, label_scoring, lora, none."""
    temperature: float | None = None
    """Fitted on held-out labels; None: not calibrated."""
    measured: ReportedMetrics | None = None
    """None where it gives no class scores."""
    forwards: int
    """Images that went through it in this run."""
    check: TeacherCheck | None = None
    """None where a sample has no one class, or too few samples have a label."""
    members: list[TeacherMemberReport] = Field(default_factory=list)
    """Where several taught: each of them. The rest is then of all together."""


class ViewsReport(ReportPart):
    """What a student was shown of each image: beside another's it tells how like the two were."""

    fresh: bool
    """A new view each time; else the same `count` views again and again, which a cache keeps."""
    count: int
    """Views that are kept; of fresh ones, one in so many is the whole image."""

    def told(self) -> str:
        """The same in words."""
        if self.fresh:
            return t("new views of each image every time")
        return t("the same {count} views of each image, which the cache keeps", count=self.count)


class StudentReport(ReportPart):
    type: str
    size: str
    parameters: int
    size_bytes: int
    measured: ReportedMetrics
    best_epoch: int
    epochs: int
    seconds: float
    """Spent training, over all attempts."""
    overfits_from: int | None = None
    """The epoch of the lowest validation loss, where only the training loss fell after it."""
    views: ViewsReport | None = None
    """None where nothing is augmented, and in a report of before."""
    best_epoch_by: str | None = None
    """The figure that chose the best epoch: `f1` where classes are uneven; None: not told."""
    test: ReportedMetrics | None = None
    """On the test split, which nothing was chosen on; None where the data set has none."""


class BaselineReport(ReportPart):
    """The same student without the teacher."""

    measured: ReportedMetrics
    epochs: int
    seconds: float
    only_student_right: int
    """Validation images that the distilled student gets right and this one does not."""
    only_baseline_right: int
    views: ViewsReport | None = None
    model: str | None = None
    """The folder of its weights beside `final_model`; None in a report of before."""
    size_bytes: int | None = None
    """What its weights take on the disk."""
    test: ReportedMetrics | None = None
    test_only_student_right: int = 0
    """The same two counts over the test split."""
    test_only_baseline_right: int = 0


class ExportReport(ReportPart):
    """A file that other programs run, as good as it is."""

    format: str
    file: str
    """Its name; where it was put is its owner's affair."""
    size_bytes: int
    measured: ReportedMetrics
    """On the validation set where the data was there, and its latency on the CPU."""


class DataReport(ReportPart):
    dataset: str
    val_dataset: str
    classes: list[str]
    train_images: int
    labelled_images: int
    val_images: int
    test_images: int | None = None
    """None: the data set has no test split, or an older version made this report."""
    notes: list[str] = Field(default_factory=list)


class ClassChange(ReportPart):
    """A class whose F1 is another with the teacher than without it."""

    name: str
    student: float
    baseline: float
    support: int
    """Its examples in the split that was measured."""


class Verdict(ReportPart):
    helped: bool | None
    """None: no teacher, or no baseline to compare with."""
    split: Literal["val", "test"] = "val"
    """What it was judged on: the test split where there is one."""
    worse: list[ClassChange] = Field(default_factory=list)
    """The classes that lost with the teacher, the most first."""
    better: list[ClassChange] = Field(default_factory=list)
    """Those that gained, the most first."""
    sentence: str | None
    warning: str | None
    """To be said loudly: the teacher is worse than the student alone."""


class RunReport(ReportPart):
    format: Literal["tandem-report-1"] = "tandem-report-1"
    at: datetime
    device: str
    seconds: float
    teacher: TeacherReport | None = None
    student: StudentReport
    baseline: BaselineReport | None = None
    agreement: float | None = None
    """Share of the validation images on which student and teacher choose the same class."""
    data: DataReport
    exports: list[ExportReport] = Field(default_factory=list)
    """Files written from this student since, the last of each format."""
    verdict: Verdict | None = None
    """Written by train.report.write."""
    spec: RunSpec
    versions: dict[str, str] = Field(default_factory=dict)


def views_note(report: RunReport) -> str | None:
    """A sentence of what student and baseline were shown; None where nothing was augmented."""
    student = report.student.views
    baseline = report.baseline.views if report.baseline else None
    if student is None:
        return None
    if baseline is None:
        return t("The student was shown {student}.", student=student.told())
    return t(
        "The student was shown {student}; the one without the teacher, {baseline}.",
        student=student.told(),
        baseline=baseline.told(),
    )


class ModelEvaluation(ReportPart):
    """What `tandem evaluate` says of one model on one split; its figures are a report's."""

    format: Literal["tandem-evaluation-1"] = "tandem-evaluation-1"
    kind: str
    model: str
    dataset: str
    split: SplitName
    samples: int
    """Those that were measured."""
    left_out: int = 0
    """Labelled samples of classes that the model does not know."""
    classes: list[str]
    """The model's."""
    measured: ReportedMetrics
    notes: list[str] = Field(default_factory=list)
    seconds: float
