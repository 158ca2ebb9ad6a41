"""Reading runs ahead in threads while the model works; a bounded number of inputs in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tandem.predict.answers import Answer
from tandem.predict.kinds.base import ModelInput, ModelOutput, Processor
from tandem.spec.errors import DataError

Source = TypeVar("Source")
HeightWidth = tuple[int, int]
"""Height and width in pixels; 0 and 0 of a text, or where nothing could be read."""
Answers = list[tuple[Answer | DataError, HeightWidth]]
AnsweredSource = tuple[Source, Answer | DataError, HeightWidth]
"""A source, what the model answers or what is wrong with it, and its size."""
ForwardPass = Callable[[NDArray[np.generic]], ModelOutput]
"""From uint8 pixels or int64 tokens, the batch first, to what the model gives."""
READ_AHEAD_BATCHES = 3
"""Batches that are being read while others are with the model."""
MODEL_BATCHES = 2
"""Batches with the model: one that it works on, and one whose answers are being taken."""


def answers(
    sources: Iterable[Source],
    processor: Processor,
    run: ForwardPass,
    *,
    batch_size: int,
    threads: int,
    opened: Callable[[Source], object] = lambda source: source,
) -> Generator[list[AnsweredSource[Source]]]:
    """A batch after the other: each source, its answer or fault, and (height, width).

    The model is one batch ahead of whoever takes the answers, so that writing costs it nothing.
    `sources` may be endless; it is taken from as needed.
    """

    def read(source: Source) -> ModelInput | DataError:
        try:
            return processor.read(opened(source))
        except DataError as problem:
            return problem

    reading: deque[tuple[list[Source], list[Future[ModelInput | DataError]]]] = deque()
    asked: deque[tuple[list[Source], Future[Answers]]] = deque()
    batches = _batches(sources, max(1, batch_size))
    # The model has a thread of its own: while it computes, this one hands answers out.
    with ThreadPoolExecutor(threads) as pool, ThreadPoolExecutor(1) as model:
        try:
            while True:
                while len(reading) < READ_AHEAD_BATCHES and (batch := next(batches, None)):
                    reading.append((batch, [pool.submit(read, one) for one in batch]))
                while reading and len(asked) < MODEL_BATCHES:
                    batch, inputs = reading.popleft()
                    asked.append((batch, model.submit(_ask, processor, run, inputs)))
                if not asked:
                    return
                batch, answered = asked.popleft()
                yield [(one, *found) for one, found in zip(batch, answered.result(), strict=True)]
        finally:
            # Whoever closes the generator need not wait for what is only queued.
            for _, futures in reading:
                for future in futures:
                    future.cancel()


def _batches(sources: Iterable[Source], size: int) -> Iterator[list[Source]]:
    more = iter(sources)
    while batch := list(islice(more, size)):
        yield batch


def _stacked(several: Sequence[NDArray[np.generic]]) -> NDArray[np.generic]:
    """The batch; of pictures, laid out as they were decoded, colours last, which costs no turning.

    Its axes are (B, 3, H, W) all the same.
    """
    if several[0].ndim != 3:
        return np.stack(several)
    return np.stack([one.transpose(1, 2, 0) for one in several]).transpose(0, 3, 1, 2)


def _ask(
    processor: Processor, run: ForwardPass, reading: Sequence[Future[ModelInput | DataError]]
) -> Answers:
    """The model's answers to those inputs of a batch that could be read, in their places."""
    inputs = [one.result() for one in reading]
    good = [one for one in inputs if isinstance(one, ModelInput)]
    found: Iterator[Answer] = iter(())
    if good:
        output = run(_stacked([one.inputs for one in good]))
        found = iter(processor.postprocess(output, good))
    return [
        (one, (0, 0)) if isinstance(one, DataError) else (next(found), (one.height, one.width))
        for one in inputs
    ]
