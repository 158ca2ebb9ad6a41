"""Clips to classes: a folder of frames, a video file, or one picture as a clip of one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray
from PIL import Image

from tandem.data.images import is_image
from tandem.data.video import evenly_spread
from tandem.predict.answers import Answer
from tandem.predict.images import open_image
from tandem.predict.kinds.base import ModelInput, ModelOutput
from tandem.predict.kinds.classification import ClassificationProcessor
from tandem.predict.videos import broken_video
from tandem.spec.errors import DataError
from tandem.spec.model import ModelConfig
from tandem.train.data.augment import whole


class SequenceProcessor:
    """As many frames as the student was taught with, evenly spread."""

    def __init__(self, config: ModelConfig) -> None:
        self.config = config
        self.frames = config.student.frames
        self._classes = ClassificationProcessor(config)

    def read(self, source: object) -> ModelInput:
        """A path, or the pictures themselves in their order."""
        if isinstance(source, str | Path) and not is_image(Path(source).name):
            path = Path(source)
            frames_THWC, size = self._folder(path) if path.is_dir() else self._video(path)
        else:
            several: list[object] = [*source] if isinstance(source, list | tuple) else [source]
            frames_THWC, size = self._images(several)
        return ModelInput(frames_THWC.transpose(0, 3, 1, 2), *size)

    def postprocess(self, output: ModelOutput, inputs: Sequence[ModelInput]) -> list[Answer]:
        return self._classes.postprocess(output, inputs)

    def _folder(self, path: Path) -> tuple[NDArray[np.uint8], tuple[int, int]]:
        files = sorted(one for one in path.iterdir() if is_image(one.name) and one.is_file())
        if not files:
            raise DataError(
                "The clip {path} holds no frame.",
                path=path,
                fix="Put its pictures into it, or take it away.",
            )
        return self._images(files)

    def _images(self, sources: Sequence[object]) -> tuple[NDArray[np.uint8], tuple[int, int]]:
        size = self.config.image_size
        read: dict[int, tuple[NDArray[np.uint8], tuple[int, int]]] = {}
        picked = evenly_spread(self.frames, len(sources)).tolist()
        for index in picked:
            if index not in read:
                image, own = open_image(sources[index], size)
                read[index] = whole(image, size), own
        return np.stack([read[index][0] for index in picked]), read[picked[0]][1]

    def _video(self, path: Path) -> tuple[NDArray[np.uint8], tuple[int, int]]:
        size = self.config.image_size
        try:
            with av.open(str(path)) as video:
                stream = video.streams.video[0]
                own = stream.height, stream.width
                count = int(stream.frames) or _counted(path)
                wanted = evenly_spread(self.frames, count).tolist()
                kept: dict[int, NDArray[np.uint8]] = {}
                for number, frame in enumerate(video.decode(stream)):
                    if number in wanted:
                        image = Image.fromarray(frame.to_ndarray(format="rgb24"))
                        kept[number] = whole(image, size)
                    if number >= wanted[-1]:
                        break
        except (FFmpegError, IndexError, ValueError) as error:
            raise broken_video(path, error) from error
        if not kept:
            raise DataError("The video {path} holds no frame.", path=path, fix="Take it away.")
        # A header may count more frames than there are.
        there = sorted(kept)
        nearest = [max((t for t in there if t <= index), default=there[0]) for index in wanted]
        return np.stack([kept[index] for index in nearest]), own


def _counted(path: Path) -> int:
    with av.open(str(path)) as video:
        return max(1, sum(1 for _ in video.decode(video=0)))
