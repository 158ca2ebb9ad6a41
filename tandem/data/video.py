"""Which files are videos, which of their frames are taken, and these frames, through PyAV."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tandem.spec.errors import DataError

if TYPE_CHECKING:
    from av.container import InputContainer

VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".ts"}
)
"""Containers that PyAV opens, in lower case; any case is read. Training, prediction, the service's
look at a folder and its uploads all take just these."""
RgbFrame = NDArray[np.uint8]
"""(H, W, 3), RGB."""


def is_video(name: str) -> bool:
    """Whether a file's name says that it is a video."""
    return Path(name).suffix.lower() in VIDEO_SUFFIXES


def evenly_spread(count: int, of: int) -> NDArray[np.int64]:
    """(count,) indices among `of` frames: the middle of each of `count` equal stretches.

    Where there are fewer frames than are wanted, some repeat, in their order.
    """
    places = (np.arange(count) + 0.5) * of / count
    return np.minimum(places.astype(np.int64), of - 1)


def frame_count(path: Path) -> int:
    """How many frames it has. DataError for what cannot be decoded, or has none."""
    with _opened(path) as video:
        stream = video.streams.video[0]
        count = int(stream.frames) or sum(1 for _ in video.decode(stream))
        next(iter(video.decode(stream)), None) if stream.frames else None
    if count == 0:
        raise DataError("The video {path} holds no frame.", path=path, fix="Take it away.")
    return count


def frames(path: Path, indices: Sequence[int]) -> list[RgbFrame]:
    """These frames, by number from 0, in the order given. DataError where one is not there."""
    wanted, found = set(indices), {}
    last = max(wanted)
    for number, _, frame in stream(path):
        if number in wanted:
            found[number] = frame
        if number >= last:
            break
    missing = wanted - found.keys()
    if missing:
        raise DataError("The video {path} has no frame {number}.", path=path, number=min(missing))
    return [found[one] for one in indices]


def stream(path: Path, every: int = 1) -> Iterator[tuple[int, float, RgbFrame]]:
    """(number, seconds, frame) of every `every`-th frame, decoded as it is asked for."""
    with _opened(path) as video:
        for number, frame in enumerate(video.decode(video=0)):
            if number % every == 0:
                yield (
                    number,
                    float(frame.time or 0.0),
                    np.asarray(frame.to_ndarray(format="rgb24"), np.uint8),
                )


@contextmanager
def _opened(path: Path) -> Iterator[InputContainer]:
    # Imported here: those who only ask whether a name is a video's need no FFmpeg.
    import av
    from av.error import FFmpegError

    try:
        with av.open(str(path)) as video:
            if not video.streams.video:
                raise DataError("{path} holds no picture track.", path=path, fix="Take it away.")
            yield video
    except (FFmpegError, OSError, ValueError) as error:
        raise DataError(
            "The video {path} cannot be decoded: {reason}.",
            path=path,
            reason=str(error)[:120] or type(error).__name__,
            fix="Convert it, for example to H.264 in MP4, or take it away.",
        ) from error
