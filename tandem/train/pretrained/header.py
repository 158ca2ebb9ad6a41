"""The header of a safetensors file: what tensors are in it, and where, without reading them."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from pathlib import Path

from tandem.spec.errors import TeacherError

MAX_HEADER_BYTES = 100_000_000  # the format's own limit


@dataclass(frozen=True)
class TensorEntry:
    """One tensor of a file."""

    dtype: str
    """As safetensors writes it: `F32`, `BF16`, …"""
    shape: list[int]
    data_offsets: tuple[int, int]
    """Its first byte and the one after its last, counted from the end of the header."""


def read_header(path: Path, teacher: str) -> dict[str, TensorEntry]:
    """Every tensor of the file by name; TeacherError for a broken or truncated file.

    `teacher` is what the user calls the checkpoint.
    """
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > MAX_HEADER_BYTES:
                raise ValueError(length)
            found = json.loads(file.read(length))
            found.pop("__metadata__", None)
            entries = {
                name: TensorEntry(one["dtype"], one["shape"], tuple(one["data_offsets"]))
                for name, one in found.items()
            }
            needed = 8 + length + max(one.data_offsets[1] for one in entries.values())
    except (struct.error, ValueError, KeyError, TypeError, AttributeError, IndexError):
        raise _broken(path, teacher) from None
    if path.stat().st_size < needed:
        raise _broken(path, teacher)
    return entries


def _broken(path: Path, teacher: str) -> TeacherError:
    return TeacherError(
        "The teacher {name} has a broken weight file: {file} is truncated or no safetensors.",
        name=teacher,
        file=path.name,
        fix="Copy the checkpoint again.",
    )
