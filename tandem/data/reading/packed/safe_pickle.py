"""Pickles from outside, read without running anything: numbers, texts, lists, dicts and arrays.

A pickle is a program. It is looked over before it runs: only codes that build plain values are let
through, nothing it names is imported, and an array is its bytes and its shape.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tandem.spec.errors import DataError

LARGEST_BYTES = 512 * 2**20
_CODES = frozenset({
    "PROTO", "FRAME", "STOP", "MARK", "POP", "POP_MARK", "NONE", "NEWTRUE", "NEWFALSE", "INT",
    "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "STRING",
    "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "UNICODE",
    "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "EMPTY_LIST", "APPEND", "APPENDS", "LIST",
    "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "EMPTY_DICT", "DICT", "SETITEM",
    "SETITEMS", "PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE", "GET", "BINGET", "LONG_BINGET",
    "GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD",
})  # fmt: skip
"""BYTEARRAY8, buffers, persistent ids, sets and objects are not among them."""


class _DtypeName:
    """Stands for `numpy.dtype`: what it is called with is the type's name."""

    def __init__(self, name: object = "", *_: object) -> None:
        self.name = name.decode("latin-1") if isinstance(name, bytes) else str(name)

    def __setstate__(self, state: object) -> None:
        """Byte order and fields: nothing of it is used."""


class PickledArray:
    """Stands for a NumPy array: its shape, its type's name and its bytes."""

    def __init__(self, *_: object) -> None:
        self.shape: tuple[int, ...] = ()
        self.dtype = ""
        self.data = b""

    def __setstate__(self, state: object) -> None:
        """(version, shape, type, whether columns come first, bytes)."""
        if not isinstance(state, tuple) or len(state) != 5:
            raise pickle.UnpicklingError("an array of another form")
        _, shape, dtype, columns_first, data = state
        is_shape = isinstance(shape, tuple) and all(isinstance(one, int) for one in shape)
        if not is_shape or not isinstance(dtype, _DtypeName) or columns_first:
            raise pickle.UnpicklingError("an array of another form")
        self.shape, self.dtype = shape, dtype.name
        self.data = data.encode("latin-1") if isinstance(data, str) else data

    def as_bytes(self) -> NDArray[np.uint8]:
        """The array, where it is one of bytes. DataError otherwise."""
        right = isinstance(self.data, bytes) and min(self.shape, default=-1) >= 0
        if not right or self.dtype not in ("u1", "|u1") or math.prod(self.shape) != len(self.data):
            raise DataError("An array in it is not of bytes, or not as long as its shape says.")
        return np.frombuffer(self.data, np.uint8).reshape(self.shape)


def _encode(text: object, encoding: object = "latin1") -> bytes:
    """Stands for `_codecs.encode`, by which Python 3 writes bytes for Python 2."""
    if not isinstance(text, str) or encoding not in ("latin1", b"latin1"):
        raise pickle.UnpicklingError("bytes of another encoding")
    return text.encode("latin-1")


def _rebuilt(*_: object) -> PickledArray:
    return PickledArray()


_KNOWN: dict[tuple[str, str], Callable[..., object]] = {
    ("numpy", "ndarray"): _rebuilt,
    ("numpy", "dtype"): _DtypeName,
    ("numpy.core.multiarray", "_reconstruct"): _rebuilt,
    ("numpy._core.multiarray", "_reconstruct"): _rebuilt,
    ("_codecs", "encode"): _encode,
}


class _Named:
    """What a pickle names: it can be called, and nothing can be set in it."""

    __slots__ = ("make",)

    def __init__(self, make: Callable[..., object]) -> None:
        self.make = make

    def __call__(self, *given: object) -> object:
        return self.make(*given)

    def __setstate__(self, state: object) -> None:
        raise pickle.UnpicklingError("it changes what it names")


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> _Named:
        found = _KNOWN.get((module, name))
        if found is None:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return _Named(found)


def plain_dict(file: Path) -> dict[str, object]:
    """The dict in a pickle, by its keys as text. DataError for any other pickle, or what is none.

    Memory: a few times the file's size, which is bounded.
    """
    try:
        if file.stat().st_size > LARGEST_BYTES:
            raise DataError("{file} is too large to be read.", file=file, fix="Split it.")
        data = file.read_bytes()
        _look_over(data)
        found = _Unpickler(io.BytesIO(data), encoding="bytes").load()
    except OSError as error:
        raise _no_pickle(file, error.strerror or str(error)) from error
    except (pickle.UnpicklingError, ValueError, EOFError, AttributeError, TypeError, IndexError,
            KeyError, MemoryError, RecursionError, OverflowError) as error:  # fmt: skip
        raise _no_pickle(file, str(error)[:120] or type(error).__name__) from error
    if not isinstance(found, dict):
        raise _no_pickle(file, f"it holds a {type(found).__name__}")
    return {key.decode("latin-1") if isinstance(key, bytes) else str(key): value
            for key, value in found.items()}  # fmt: skip


def _look_over(data: bytes) -> None:
    """UnpicklingError for a code that is not let through, or a number that only takes memory."""
    for count, (code, argument, _) in enumerate(pickletools.genops(data), 1):
        if code.name not in _CODES:
            raise pickle.UnpicklingError(f"the code {code.name} is not let through")
        if code.name in ("PUT", "BINPUT", "LONG_BINPUT") and int(argument or 0) > count:
            raise pickle.UnpicklingError("a number in it is too large")


def _no_pickle(file: Path, reason: str) -> DataError:
    return DataError(
        "{path} is no pickle that can be read safely: {reason}.",
        path=file,
        reason=reason,
        fix="Take the file that its publisher gives.",
    )


def texts(value: object) -> Sequence[str]:
    """A list of names as text; DataError for anything else."""
    if not isinstance(value, list) or not all(isinstance(one, bytes | str) for one in value):
        raise DataError("A list of names in it holds something else.")
    return [one.decode("utf-8", "replace") if isinstance(one, bytes) else one for one in value]


def numbers(value: object) -> Sequence[int]:
    """A list of whole numbers; DataError for anything else."""
    if not isinstance(value, list) or not all(type(one) is int for one in value):
        raise DataError("A list of numbers in it holds something else.")
    return list(value)
