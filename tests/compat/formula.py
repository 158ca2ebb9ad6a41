"""Numbers from names: the same on every machine, so that no weights are kept in the repository.

Nothing of Tandem is imported here. What is written is written as 7fb42ae wrote it: a change of a
format must not change the files that are to tell of it.
"""

from __future__ import annotations

import hashlib
import json
import math
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch

DTYPES = {"F32": np.float32, "F16": np.float16, "I64": np.int64, "U8": np.uint8, "BOOL": np.bool_}
VERBATIM = 16
"""So few numbers are kept as they are: counts, steps, a detector's fixed bins."""


def _tile() -> np.ndarray:
    """65,521 numbers of [-1, 1), exact in float32; a prime, so that no row repeats another."""
    x = np.arange(65521, dtype=np.uint64)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B), (16, 1)):
        x = ((x ^ (x >> np.uint64(shift))) * np.uint64(factor)) & np.uint64(0xFFFFFFFF)
    return (x >> np.uint64(8)).astype(np.float32) / np.float32(2**23) - 1


TILE = _tile()


def rule(name: str, dtype: str, array: np.ndarray) -> list[Any]:
    """What is kept of a tensor: [dtype, *shape], and its numbers where they are few or one."""
    shape = list(array.shape)
    if array.size <= VERBATIM:
        return [dtype, *shape, array.reshape(-1).tolist()]
    if array.dtype.kind != "f":
        assert (array == array.flat[0]).all(), f"{name} has {array.dtype} of its own"
        return [dtype, *shape, [int(array.flat[0])]]
    return [dtype, *shape]


def numbers(name: str, kept: list[Any]) -> np.ndarray:
    """The tensor that `rule` described."""
    dtype, *shape = kept
    if shape and isinstance(shape[-1], list):
        values = np.array(shape.pop(), DTYPES[dtype])
        return np.resize(values, shape)
    centre, spread = _around(name, shape)
    start = zlib.crc32(name.encode()) % len(TILE)
    drawn = np.resize(np.roll(TILE, -start), math.prod(shape)).reshape(shape)
    return (np.float32(centre) + np.float32(spread) * drawn).astype(DTYPES[dtype])


def _around(name: str, shape: list[int]) -> tuple[float, float]:
    """Centre and spread: of moments and variances above zero, else so that signals keep size."""
    last = name.rpartition(".")[2]
    if last == "exp_avg_sq":
        return 1e-4, 5e-5
    if last == "exp_avg":
        return 0, 1e-3
    if last == "running_var" or (last == "weight" and len(shape) == 1):
        return 1, 0.1
    return 0, 0.1 if len(shape) == 1 else round(math.sqrt(3 / math.prod(shape[1:])), 5)


# --- safetensors -----------------------------------------------------------------------------


def read_safetensors(file: Path) -> dict[str, Any]:
    """`{"": metadata, name: rule}` of a file."""
    raw = file.read_bytes()
    size = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + size])
    kept: dict[str, Any] = {"": header.pop("__metadata__", None)}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        data = np.frombuffer(raw[8 + size + begin : 8 + size + end], DTYPES[entry["dtype"]])
        kept[name] = rule(name, entry["dtype"], data.reshape(entry["shape"]))
    return kept


def write_safetensors(file: Path, kept: dict[str, Any]) -> None:
    """By hand: its bytes depend on no library's version, and a teacher is known by them."""
    header: dict[str, Any] = {"__metadata__": kept[""]} if kept[""] else {}
    names = sorted((name for name in kept if name), key=lambda name: (kept[name][0] != "I64", name))
    pieces, at = [], 0
    for name in names:
        array = numbers(name, kept[name])
        piece = array.tobytes()
        entry = {"dtype": kept[name][0], "shape": list(array.shape)}
        header[name] = entry | {"data_offsets": [at, at + len(piece)]}
        pieces.append(piece)
        at += len(piece)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    file.write_bytes(b"".join([struct.pack("<Q", len(text)), text, *pieces]))


# --- torch.save ------------------------------------------------------------------------------

_TORCH = {torch.float32: "F32", torch.int64: "I64", torch.uint8: "U8"}


def read_state(value: Any, name: str = "") -> Any:
    """A checkpoint's `state.pt` as JSON: containers by their kind, tensors by their rule."""
    if isinstance(value, torch.Tensor):
        if value.dtype == torch.uint8:  # a generator's: no formula makes one
            return {"generator": list(value.shape)}
        return {"tensor": rule(name, _TORCH[value.dtype], value.cpu().numpy())}
    if isinstance(value, dict):
        return {"dict": [[key, read_state(one, f"{name}.{key}")] for key, one in value.items()]}
    if isinstance(value, list | tuple):
        items = [read_state(one, f"{name}.{at}") for at, one in enumerate(value)]
        return {type(value).__name__: items}
    assert value is None or isinstance(value, bool | int | float | str), f"{name}: {type(value)}"
    return value


def state(kept: Any, name: str = "") -> Any:
    """What `read_state` described."""
    if not isinstance(kept, dict):
        return kept
    ((form, held),) = kept.items()
    if form == "generator":
        return torch.Generator().manual_seed(7).get_state()
    if form == "tensor":
        return torch.from_numpy(numbers(name, held).copy())
    if form == "dict":
        return {key: state(one, f"{name}.{key}") for key, one in held}
    items = [state(one, f"{name}.{at}") for at, one in enumerate(held)]
    return tuple(items) if form == "tuple" else items


def seal(checkpoint: Path) -> None:
    """The checkpoint's manifest: each file's blake2b."""
    files = {
        file.name: hashlib.blake2b(file.read_bytes()).hexdigest()
        for file in sorted(checkpoint.iterdir())
        if file.name != "manifest.json"
    }
    (checkpoint / "manifest.json").write_text(json.dumps(files, indent=1))


# --- pictures --------------------------------------------------------------------------------


def image(file: Path, seed: int, size: int, classes: int = 0) -> None:
    """A PNG of blocks of eight pixels, not compressed; `classes`: a mask of as many values."""
    blocks = -(-size // 8)
    channels = 1 if classes else 3
    drawn = np.resize(np.roll(TILE, -997 * seed), blocks * blocks * channels)
    values = ((drawn + 1) / 2 * (classes or 256)).astype(np.uint8)
    values = values.reshape(blocks, blocks, channels).repeat(8, 0).repeat(8, 1)[:size, :size]
    rows = np.zeros((size, 1 + size * channels), np.uint8)
    rows[:, 1:] = values.reshape(size, -1)
    raw = rows.tobytes()
    assert len(raw) < 65536
    stored = b"\x78\x01\x01" + struct.pack("<HH", len(raw), len(raw) ^ 0xFFFF) + raw
    chunks = {
        b"IHDR": struct.pack(">IIBBBBB", size, size, 8, 0 if classes else 2, 0, 0, 0),
        b"IDAT": stored + struct.pack(">I", zlib.adler32(raw)),
        b"IEND": b"",
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as out:
        out.write(b"\x89PNG\r\n\x1a\n")
        for name, body in chunks.items():
            check = zlib.crc32(name + body)
            out.write(struct.pack(">I", len(body)) + name + body + struct.pack(">I", check))
