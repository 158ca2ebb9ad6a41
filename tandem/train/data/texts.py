"""The texts of one split as a table: what a student and a teacher are given of each row."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from tandem.data.content import Item
from tandem.spec.run import ViewSpec
from tandem.train.data.augment import Views
from tandem.train.data.tokens import Tokens
from tandem.train.types import ImageTable, RowIndices, Shows


@dataclass(frozen=True)
class TextTable(ImageTable):
    """`paths_N` names the file that each text stands in."""

    texts_N: NDArray[np.object_] = field(default_factory=lambda: np.zeros(0, object))
    seconds_N: NDArray[np.object_] = field(default_factory=lambda: np.zeros(0, object))
    """The second text of a pair, or None."""
    ids_N3L: NDArray[np.int32] = field(default_factory=lambda: np.zeros((0, 3, 0), np.int32))
    """Empty until `tokenised`."""
    key: str = ""
    """Names the tokenizer and the length, on both of which the signals of a text depend."""

    def rows(self, rows: RowIndices) -> Self:
        some = super().rows(rows)
        ids = self.ids_N3L[rows] if len(self.ids_N3L) else self.ids_N3L
        return replace(
            some, texts_N=self.texts_N[rows], seconds_N=self.seconds_N[rows], ids_N3L=ids
        )

    def tokenised(self, tokens: Tokens, length: int) -> Self:
        """The same with its numbers, `length` tokens each."""
        ids = tokens.encode(self.texts_N.tolist(), self.seconds_N.tolist(), length)
        return replace(self, ids_N3L=ids, key=f"{tokens.digest}/{length}")

    def blank(self, count: int, size: int) -> NDArray[np.generic]:  # noqa: ARG002
        return np.empty((count, 3, self.ids_N3L.shape[2]), np.int64)

    def shown(
        self,
        views: Shows,  # noqa: ARG002
        row: int,
        params_V: NDArray[np.void],
        size: int,  # noqa: ARG002
        max_pixels: int,  # noqa: ARG002
    ) -> list[NDArray[np.generic]]:
        """A text looks alike in every view."""
        return [self.ids_N3L[row] for _ in params_V]

    def one_view(self) -> Views:
        """Its only view; the cache knows by it how the texts were cut into tokens."""
        digest = hashlib.blake2b(f"text/{self.key}".encode(), digest_size=16).hexdigest()
        drawn = Views.draw(self, ViewSpec(count=1))
        return replace(drawn, fingerprint=digest)


def text_table(root: Path, items: Sequence[Item], classes: tuple[str, ...]) -> TextTable:
    """The items as one table, not yet tokenised."""
    hashes = [
        hashlib.blake2b(f"{one.text}\\0{one.text_b}".encode(errors="surrogatepass"), digest_size=16)
        for one in items
    ]
    texts, seconds = np.empty(len(items), object), np.empty(len(items), object)
    texts[:] = [one.text or "" for one in items]
    seconds[:] = [one.text_b for one in items]
    digests = b"".join(one.digest() for one in hashes)
    return TextTable(
        root=root,
        paths_N=np.array([one.path for one in items], dtype=np.bytes_),
        labels_N=np.array([one.label for one in items], dtype=np.int64),
        hashes_N=np.frombuffer(digests, np.uint8).reshape(-1, 16),
        classes=classes,
        texts_N=texts,
        seconds_N=seconds,
    )
