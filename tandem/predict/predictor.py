"""A trained student at work: one call from pictures, clips or texts to what it says of them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tandem.predict.answers import Answer
from tandem.predict.images import found_in, listed
from tandem.spec.errors import DataError, StudentError
from tandem.spec.model import ModelConfig

if TYPE_CHECKING:
    from tandem.predict.kinds.base import Output, Processor
Threshold = float | Mapping[str, float] | None
BATCH_SIZE = 32
DECODERS = max(2, min(16, os.cpu_count() or 2))


class Predictor:
    """`run` maps inputs, uint8 pixels or int64 tokens with the batch first, to an `Output`."""

    def __init__(
        self, run: Callable[[Any], Output], config: ModelConfig, way: Processor, version: str = ""
    ) -> None:
        self._run = run
        self._way = way
        self.config = config
        self.version = version
        """A digest of the weights."""

    @property
    def classes(self) -> list[str]:
        """In the order of the model's outputs."""
        return list(self.config.classes)

    def predict(self, pictures: Any, batch_size: int = BATCH_SIZE) -> list[Any]:
        """One answer for each path, PIL image or uint8 array (H, W, 3), in their order.

        Of a model of clips also a folder of frames or a video; of texts a string each. The answer
        is a Prediction, Detections or Segmentation. Raises DataError naming the first input that
        cannot be read.
        """
        made: list[Answer] = []
        for batch in self.stream(self._listed(pictures), batch_size):
            for _, answer, _ in batch:
                if isinstance(answer, DataError):
                    raise answer
                made.append(answer)
        return made

    def predict_folder(
        self, path: str | Path, batch_size: int = BATCH_SIZE
    ) -> Iterator[tuple[Path, Any]]:
        """Every picture under a folder, with its answer or with what is wrong with the file.

        Raises DataError when there is no picture at all.
        """
        for batch in self.stream(found_in(Path(path)), batch_size):
            for picture, answer, _ in batch:
                yield picture, answer

    def stream(
        self,
        sources: Iterable[Any],
        batch_size: int = BATCH_SIZE,
        opened: Callable[[Any], Any] = lambda source: source,
    ) -> Generator[list[tuple[Any, Answer | DataError, tuple[int, int]]]]:
        """Batches of (source, answer or fault, (height, width)), in order, in flat memory.

        `opened` turns a source into what is read; it runs in a thread.
        """
        from tandem.predict.pipeline import answers

        return answers(
            sources,
            self._way,
            self._run,
            batch_size=batch_size,
            threads=DECODERS,
            opened=opened,
        )

    def timed(self, source: Any) -> tuple[Answer, tuple[int, int], float]:
        """The answer to one source, its (height, width), and the seconds of the model alone.

        On the CPU: elsewhere a model's answer is not there yet when its call returns. DataError.
        """
        shown = self._way.read(source)
        began = time.perf_counter()
        output = self._run(shown.inputs[None])
        seconds = time.perf_counter() - began
        (answer,) = self._way.postprocess(output, [shown])
        return answer, (shown.height, shown.width), seconds

    def _listed(self, pictures: Any) -> list[Any]:
        if self.config.kind == "text" and isinstance(pictures, str):
            return [pictures]
        return listed(pictures)


def load(path: str | Path, device: str = "auto", threshold: Threshold = None) -> Predictor:
    """`tandem.load`: a `final_model/` folder, its run's folder, or an .onnx file.

    `threshold` of detection: one for all classes or by class; None: the model's own.
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
    from tandem.predict.kinds import way_of
    from tandem.predict.onnx_model import open_onnx
    from tandem.predict.version import digest

    run, config = open_onnx(path)
    return Predictor(run, config, way_of(config, path.parent, threshold), digest(path))


def _load_torch(folder: Path, device: str, threshold: Threshold) -> Predictor:
    from tandem.predict.kinds import way_of
    from tandem.predict.torch_model import open_torch
    from tandem.predict.version import digest

    run, config = open_torch(folder, device)
    version = digest(folder / "model.safetensors")
    return Predictor(run, config, way_of(config, folder, threshold), version)
