"""Reading runs ahead in threads while the model works; a bounded number of inputs in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any, TypeVar

import numpy as np

from tandem.predict.answers import Answer
from tandem.predict.kinds.base import ModelInput, Output, Processor
from tandem.spec.errors import DataError

Source = TypeVar("Source")
Run = Callable[[Any], Output]
AHEAD = 3
"""Batches that are being read while others are with the model."""
ASKED = 2
"""Batches with the model: one that it works on, and one whose answers are being taken."""


def answers(
    sources: Iterable[Source],
    way: Processor,
    run: Run,
    *,
    batch_size: int,
    threads: int,
    opened: Callable[[Source], Any] = lambda source: source,
) -> Generator[list[tuple[Source, Answer | DataError, tuple[int, int]]]]:
    """A batch after the other: each source, what was said or is wrong, and (height, width).

    The model is one batch ahead of whoever takes the answers, so that writing costs it nothing.
    `sources` may be endless; it is taken from as needed.
    """
    batch_size = max(1, batch_size)
    waiting: deque[tuple[list[Source], list[Future[ModelInput | DataError]]]] = deque()
    more = iter(sources)

    def read(source: Source) -> ModelInput | DataError:
        try:
            return way.read(opened(source))
        except DataError as problem:
            return problem

    with ThreadPoolExecutor(threads) as pool, ThreadPoolExecutor(1) as model:
        asked: deque[tuple[list[Source], Future[list[Any]]]] = deque()
        try:
            while True:
                while len(waiting) < AHEAD and (batch := list(islice(more, batch_size))):
                    waiting.append((batch, [pool.submit(read, one) for one in batch]))
                while waiting and len(asked) < ASKED:
                    batch, shown = waiting.popleft()
                    asked.append((batch, model.submit(_say, way, run, shown)))
                if not asked:
                    return
                batch, said = asked.popleft()
                yield [(one, *told) for one, told in zip(batch, said.result(), strict=True)]
        finally:
            for _, futures in waiting:
                for future in futures:
                    future.cancel()


def _say(
    way: Processor, run: Run, reading: Sequence[Future[ModelInput | DataError]]
) -> list[tuple[Answer | DataError, tuple[int, int]]]:
    shown = [one.result() for one in reading]
    good = [one for one in shown if isinstance(one, ModelInput)]
    said = iter(way.postprocess(run(np.stack([one.inputs for one in good])), good) if good else ())
    return [
        (one, (0, 0)) if isinstance(one, DataError) else (next(said), (one.height, one.width))
        for one in shown
    ]
