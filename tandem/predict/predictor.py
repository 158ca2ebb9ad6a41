"""A trained student at work: one call from pictures, clips or texts to what it says of them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tandem.predict.answers import Answer
from tandem.predict.images import Input, as_list, iter_images
from tandem.spec.errors import DataError, StudentError
from tandem.spec.model import ModelConfig

if TYPE_CHECKING:
    from tandem.predict.kinds.base import Processor
    from tandem.predict.pipeline import AnsweredSource, ForwardPass, HeightWidth, Source
Threshold = float | Mapping[str, float] | None
BATCH_SIZE = 32
DECODERS = max(2, min(16, os.cpu_count() or 2))


class Predictor:
    """A model's forward pass with the processor of its kind: sources in, answers out."""

    def __init__(
        self,
        run: ForwardPass,
        config: ModelConfig,
        processor: Processor,
        version: str = "",
    ) -> None:
        self._run = run
        self._processor = processor
        self.config = config
        self.version = version
        """A digest of the weights."""

    @property
    def classes(self) -> list[str]:
        """The classes in the order of the model's outputs."""
        return list(self.config.classes)

    def predict(
        self, inputs: Input | Iterable[Input], batch_size: int = BATCH_SIZE
    ) -> list[Answer]:
        """One answer for each path, PIL image or uint8 array (H, W, 3), in their order.

        A model of clips also takes a folder of frames or a video, one of texts a string each. The
        answer is a Prediction, Detections or SegmentationMask.
        Raises DataError naming the first input that cannot be read.
        """
        made: list[Answer] = []
        for batch in self.stream(self._listed(inputs), batch_size):
            for _, answer, _ in batch:
                if isinstance(answer, DataError):
                    raise answer
                made.append(answer)
        return made

    def predict_folder(
        self, path: str | Path, batch_size: int = BATCH_SIZE
    ) -> Iterator[tuple[Path, Answer | DataError]]:
        """Every picture under a folder, with its answer or with what is wrong with the file.

        Raises DataError when there is no picture at all.
        """
        for batch in self.stream(iter_images(Path(path)), batch_size):
            for file, answer, _ in batch:
                yield file, answer

    def stream(
        self,
        sources: Iterable[Source],
        batch_size: int = BATCH_SIZE,
        opened: Callable[[Source], object] = lambda source: source,
    ) -> Generator[list[AnsweredSource[Source]]]:
        """Batches of (source, answer or fault, (height, width)), in order, in flat memory.

        `opened` turns a source into what is read; it runs in a thread.
        """
        from tandem.predict.pipeline import answers

        return answers(
            sources,
            self._processor,
            self._run,
            batch_size=batch_size,
            threads=DECODERS,
            opened=opened,
        )

    def timed(self, source: object) -> tuple[Answer, HeightWidth, float]:
        """The answer to one source, its (height, width), and the seconds of the model alone.

        On the CPU: elsewhere a model's answer is not there yet when its call returns. DataError.
        """
        given = self._processor.read(source)
        began = time.perf_counter()
        output = self._run(given.inputs[None])
        seconds = time.perf_counter() - began
        (answer,) = self._processor.postprocess(output, [given])
        return answer, (given.height, given.width), seconds

    def _listed(self, inputs: Input | Iterable[Input]) -> list[Input]:
        if self.config.kind == "text" and isinstance(inputs, str):
            return [inputs]  # a text: for the other kinds a string is a path
        return as_list(inputs)


def load(path: str | Path, device: str = "auto", threshold: Threshold = None) -> Predictor:
    """What `tandem.load` gives of a `final_model/` folder, its run's folder, or an .onnx file.

    `threshold` is a detector's: one for all classes or by class; None: the model's own. Raises
    StudentError (no model, broken weights) or DeviceError.
    """
    path = Path(path).expanduser()
    if path.suffix.lower() == ".onnx":
        return _load_onnx(path, threshold)
    for folder in (path, path / "final_model"):
        if (folder / "config.json").is_file():
            return _load_torch(folder, device, threshold)
    raise StudentError(
        "There is no model in {path}.",
        path=path,
        fix="Name a final_model folder, the folder of a finished run, or an .onnx file.",
    )


def _load_onnx(path: Path, threshold: Threshold) -> Predictor:
    from tandem.predict.kinds import processor_for
    from tandem.predict.onnx_model import open_onnx
    from tandem.predict.version import digest

    run, config = open_onnx(path)
    return Predictor(run, config, processor_for(config, path.parent, threshold), digest(path))


def _load_torch(folder: Path, device: str, threshold: Threshold) -> Predictor:
    from tandem.predict.kinds import processor_for
    from tandem.predict.torch_model import open_torch
    from tandem.predict.version import digest

    run, config = open_torch(folder, device)
    version = digest(folder / "model.safetensors")
    return Predictor(run, config, processor_for(config, folder, threshold), version)
