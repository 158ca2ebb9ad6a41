"""Where a job's labels go: a writer of a data format, and the predictions beside a data set."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from tandem.data.content import Item
from tandem.data.masks import check_mask_classes
from tandem.data.reading.files import read_json, read_text
from tandem.data.registry import Writer, find, formats
from tandem.data.writing.files import placed, write_whole
from tandem.predict.annotation.inputs import InputItem, NamedOutput
from tandem.predict.annotation.results_file import ResultLine, result_line
from tandem.predict.annotation.written_names import split_in
from tandem.predict.answers import Answer, to_item
from tandem.predict.prediction import Prediction
from tandem.predict.predictor import Predictor
from tandem.spec.annotation import AnnotationSpec
from tandem.spec.errors import DataError, OutputFolderError

ABOUT = "predictions.json"
"""Which model, classes and thresholds the labels are of. That it is there says that the folder is
a job's own."""
BESIDE = ".predictions"
"""In a data set: hidden, so that no reader takes it for data, and no label is ever written over."""
ALIASES = {"masks": "segmentation"}
WITHOUT_IMAGE = {"sequence", "text"}
USUAL = ("labelme", "csv")
"""The first that can hold the labels is written where no other is asked for."""


class LabelWriter:
    """Writes a job's labels; opened again on the same folders it goes on."""

    def __init__(
        self,
        spec: AnnotationSpec,
        predictor: Predictor,
        classes: dict[str, int],
        names: Sequence[str] = (),
    ) -> None:
        """`classes` gives each of the model's its place among `names`, the data set's."""
        self.spec, self.kind = spec, predictor.config.kind
        self.classes = classes
        self.names = tuple(names) or tuple(predictor.classes)
        if self.kind == "segmentation":
            check_mask_classes(self.names)
        self.thresholds = _thresholds(spec, predictor.classes)
        self.origin = {"model": spec.model_name, "version": predictor.version}
        if spec.trained_by:
            self.origin["task"] = spec.trained_by
        self.writer_name = writer_name(spec.writer, self.kind)
        self.about = {
            **self.origin,
            "kind": self.kind,
            "format": self.writer_name,
            "classes": list(self.names),
            "temperature": predictor.config.temperature,
            "thresholds": predictor.config.thresholds,
        }
        self._check_folder()
        self.outputs = [NamedOutput(spec.output, self.writer_name, self.names)]
        """The first is the job's own; the other lies beside a data set."""
        folder = beside(spec)
        if folder is not None:
            self.outputs.append(NamedOutput(folder, writer_name("", self.kind), self.names))
        self.writers = [self._open(one) for one in self.outputs]
        text = json.dumps(self.about, ensure_ascii=False, indent=1)
        for one in self.outputs:
            write_whole(one.folder / ABOUT, text)

    def add(
        self, source: InputItem, answer: Answer, size: tuple[int, int]
    ) -> tuple[str, ResultLine]:
        """Write one; what it says in short, empty when it is below the threshold; and for a page.

        DataError where a label cannot be written.
        """
        if isinstance(answer, Prediction) and answer.confidence < self.thresholds.get(
            answer.label, 0.0
        ):
            return "", result_line(source, answer, size, sure=False)
        path = source.name.encode("utf-8", "surrogateescape")
        item = to_item(answer, path, size, self.classes)
        item.attributes["predicted"] = self.origin
        item.attributes["model"] = f"{self.origin['model']}@{self.origin['version']}"
        mask: PurePosixPath | None = None
        for place, (writer, output) in enumerate(zip(self.writers, self.outputs, strict=True)):
            is_main = place == 0
            given = self._image(source, is_main)
            written = source.written_as[place] if source.written_as else source.name
            split = split_in(written, output.writer)
            named = replace(item, written_as=os.fsencode(written))
            if is_main and self.writer_name == "labelme":
                self._keep(named, split)
            writer.add(named, split, given)
            if is_main and self.writer_name == "segmentation":
                mask = (PurePosixPath("masks") / split / placed(named)).with_suffix(".png")
        line = result_line(source, answer, size, item.shapes or (), self.names, mask=mask)
        return answer.label, line

    def close(self) -> None:
        """What belongs to all of them."""
        for writer in self.writers:
            writer.close()

    def _check_folder(self) -> None:
        """LabelMe's files are looked at one by one; other layouts write into their own only."""
        folder = self.spec.output
        if (folder / ABOUT).is_file() or not folder.is_dir():
            return
        if self.writer_name == "labelme":
            self._check_classes(folder / "classes.txt")
            return
        inside = [one for one in folder.iterdir() if not one.name.startswith(".")]
        if inside:
            raise OutputFolderError(
                "{path} holds {name}, which this job did not write.",
                path=folder,
                name=inside[0].name,
                fix="Give the job an empty output folder.",
            )

    def _check_classes(self, file: Path) -> None:
        """The order of a person's classes is a label too."""
        if file.is_file() and read_text(file).split("\n") != [*self.names, ""]:
            raise OutputFolderError(
                "{path} names other classes than this job would.",
                path=file,
                fix="Give the job another output folder.",
            )

    def _keep(self, item: Item, split: str) -> None:
        """DataError where a person's label lies: it is never written over."""
        file = (self.spec.output / split / placed(item)).with_suffix(".json")
        if not file.is_file():
            return
        try:
            label = read_json(file)
        except DataError:
            label = None
        if not isinstance(label, dict) or "tandem_predicted" not in label:
            raise DataError(
                "{path} is a person's label and was left as it is.",
                path=file,
                fix="Give the job another output folder.",
            )

    def _open(self, output: NamedOutput) -> Writer:
        opened: Writer = find(output.writer).make().writer(output.folder, self.names, self.kind)
        return opened

    def _image(self, source: InputItem, is_main: bool) -> Path | None:
        if not self.spec.pictures or not is_main or self.kind in WITHOUT_IMAGE:
            return None
        return source.path


def writer_name(name: str, kind: str) -> str:
    """A data format that can hold what a model of this kind says; DataError without one."""
    fitting = [one for one, entry in formats().items() if kind in entry.writes]
    name = ALIASES.get(name, name) or next((one for one in USUAL if one in fitting), USUAL[0])
    find(name)
    if name not in fitting:
        raise DataError(
            "The format {name} cannot hold what a model of the kind {kind} says.",
            name=name,
            kind=kind,
            allowed=fitting,
        )
    return name


def beside(spec: AnnotationSpec) -> Path | None:
    """Where the predictions of this model lie in the data set; None without `auto_import`."""
    if not spec.auto_import or spec.dataset is None:
        return None
    plain = "".join(one if one.isalnum() or one in "-_." else "_" for one in spec.model_name)
    return spec.dataset / BESIDE / (plain.strip(".") or "model")


def _thresholds(spec: AnnotationSpec, classes: list[str]) -> dict[str, float]:
    if spec.threshold is None:
        return {}
    if not isinstance(spec.threshold, dict):
        return dict.fromkeys(classes, spec.threshold)
    foreign = sorted(set(spec.threshold) - set(classes))
    if foreign:
        raise DataError(
            "There is a threshold for {names}, which the model does not know.",
            names=", ".join(foreign),
            allowed=classes,
        )
    return spec.threshold
