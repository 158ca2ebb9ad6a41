"""What is said of an item as one number, which is another one where its labels have changed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tandem.data.content import Item, Shape

_BYTES = 8


def shape_digests(items: Sequence[Item]) -> NDArray[np.uint64]:
    """(N,) of each item's shapes; what nobody has looked at is told from what holds nothing."""
    return _numbers([_of_shapes(item) for item in items])


def mask_digests(root: Path, items: Sequence[Item]) -> NDArray[np.uint64]:
    """(N,) of each item's mask, by the bytes of its file, or of its shapes."""
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return _numbers(list(pool.map(lambda item: _of_mask(root, item), items)))


def _of_mask(root: Path, item: Item) -> bytes:
    if item.mask is None:
        return _of_shapes(item)
    return hashlib.blake2b(
        (root / os.fsdecode(item.mask)).read_bytes(), digest_size=_BYTES
    ).digest()


def _of_shapes(item: Item) -> bytes:
    digest = hashlib.blake2b(digest_size=_BYTES)
    digest.update(b"-" if item.shapes is None else b"+")
    # Sorted: the same shapes in another order are learnt alike.
    for one in sorted(_of_shape(shape) for shape in item.shapes or ()):
        digest.update(one)
    return digest.digest()


def _of_shape(shape: Shape) -> bytes:
    digest = hashlib.blake2b(digest_size=_BYTES)
    digest.update(f"{shape.label}/{shape.crowd}".encode())
    digest.update(np.array(shape.box or (), "<f8").tobytes())
    for outline in shape.outlines:
        digest.update(b"/" + np.asarray(outline, "<f8").tobytes())
    if shape.rle is not None:
        digest.update(f"{shape.rle.height}/{shape.rle.width}".encode() + shape.rle.counts)
    return digest.digest()


def _numbers(digests: list[bytes]) -> NDArray[np.uint64]:
    return np.frombuffer(b"".join(digests), np.uint64)
