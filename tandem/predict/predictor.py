"""A trained student at work: one call from pictures to labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tandem.predict.pictures import Picture, found_in, listed, pixels
from tandem.predict.prediction import Prediction, predictions
from tandem.spec.errors import DataError, StudentError
from tandem.spec.model import ModelConfig

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]
BATCH_SIZE = 32
DECODERS = 4


class Predictor:
    """`run` maps float images (B, 3, S, S) of 0 to 1 to logits (B, K)."""

    def __init__(self, run: Callable[[Floats], Floats], config: ModelConfig) -> None:
        self._run = run
        self.config = config

    @property
    def classes(self) -> list[str]:
        """In the order of the model's outputs."""
        return list(self.config.classes)

    def predict(
        self, pictures: Picture | Iterable[Picture], batch_size: int = BATCH_SIZE
    ) -> list[Prediction]:
        """One prediction for each path, PIL image or uint8 array (H, W, 3), in their order.

        Raises DataError naming the first picture that cannot be read.
        """
        made: list[Prediction] = []
        for read in self._read(iter(listed(pictures)), batch_size):
            for _, outcome in read:
                if isinstance(outcome, DataError):
                    raise outcome
            made += [one for _, one in self._say(read) if isinstance(one, Prediction)]
        return made

    def predict_folder(
        self, path: str | Path, batch_size: int = BATCH_SIZE
    ) -> Iterator[tuple[Path, Prediction | DataError]]:
        """Every picture under a folder, with its prediction or with what is wrong with the file.

        Raises DataError when there is no picture at all.
        """
        for read in self._read(found_in(Path(path)), batch_size):
            for picture, outcome in self._say(read):
                yield Path(str(picture)), outcome

    def _read(
        self, source: Iterator[Picture], batch_size: int
    ) -> Iterator[list[tuple[Picture, Pixels | DataError]]]:
        def read(picture: Picture) -> tuple[Picture, Pixels | DataError]:
            try:
                return picture, pixels(picture, self.config.image_size)
            except DataError as problem:
                return picture, problem

        with ThreadPoolExecutor(DECODERS) as pool:
            while batch := list(islice(source, max(1, batch_size))):
                yield list(pool.map(read, batch))

    def _say(
        self, read: list[tuple[Picture, Pixels | DataError]]
    ) -> list[tuple[Picture, Prediction | DataError]]:
        images_BCHW = [image for _, image in read if not isinstance(image, DataError)]
        said = iter(self._of(images_BCHW))
        return [(at, one if isinstance(one, DataError) else next(said)) for at, one in read]

    def _of(self, images_BCHW: list[Pixels]) -> list[Prediction]:
        if not images_BCHW:
            return []
        logits_BK = self._run(np.stack(images_BCHW).astype(np.float32) / np.float32(255))
        return predictions(logits_BK, self.config.classes, self.config.temperature)


def load(path: str | Path, device: str = "auto") -> Predictor:
    """`tandem.load`: a `final_model/` folder, its run's folder, or an .onnx file."""
    path = Path(path).expanduser()
    if path.suffix.lower() == ".onnx":
        from tandem.predict.onnx_model import open_onnx

        return Predictor(*open_onnx(path))
    for folder in (path, path / "final_model"):
        if (folder / "config.json").is_file():
            return _load_torch(folder, device)
    raise StudentError(
        "There is no model in {path}.",
        path=path,
        fix="Name a final_model folder, the folder of a finished run, or an .onnx file.",
    )


def _load_torch(folder: Path, device: str) -> Predictor:
    import torch

    from tandem.predict.device import chosen
    from tandem.train import final_model

    place = chosen(device)
    student, config = final_model.load(folder, place)

    def run(images_BCHW: Floats) -> Floats:
        with torch.inference_mode():
            logits_BK = student(torch.from_numpy(images_BCHW).to(place)).logits_BK
        return np.asarray(logits_BK.float().cpu().numpy(), np.float32)

    return Predictor(run, config)
