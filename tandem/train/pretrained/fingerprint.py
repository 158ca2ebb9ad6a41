"""What a teacher's weights and settings come to in one hexadecimal word, the cache's key."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path

from tandem.train.pretrained.checkpoint import PretrainedCheckpoint
from tandem.train.pretrained.header import read_header
from tandem.train.pretrained.weights import Rename, by_file

VERSION = 1  # raise it when the meaning of a teacher's signals changes
CHUNK_BYTES = 8 * 2**20


def fingerprint(
    checkpoint: PretrainedCheckpoint, rename: Rename, settings: Mapping[str, object]
) -> str:
    """Over the wanted tensors' names, shapes and bytes, and the settings that change what is said.

    The bytes of a large file are read once: the digest is kept by path, size and time of change.
    """
    digest = blake2b(digest_size=32)
    _add(digest, {"version": VERSION, **settings})
    for path, names in by_file(checkpoint, rename).items():
        _add(digest, _file_digest(path, sorted(names), checkpoint.name))
    return digest.hexdigest()


def _add(digest: blake2b, what: object) -> None:
    digest.update(json.dumps(what, sort_keys=True, default=str).encode())


def _file_digest(path: Path, names: list[str], teacher: str) -> str:
    # A release has gigabytes: hashing them takes as long as loading them. A file whose path, length
    # and time of change are as they were is taken for the same.
    stat = path.stat()
    key = blake2b(digest_size=16)
    _add(key, [str(path.resolve()), stat.st_size, stat.st_mtime_ns, names])
    memo = _memo_folder() / key.hexdigest()
    if memo.is_file():
        return memo.read_text(encoding="ascii")
    found = _hash_tensors(path, names, teacher)
    _remember(memo, found)
    return found


def _hash_tensors(path: Path, names: list[str], teacher: str) -> str:
    """Independent of how the tensors are spread over a file, so that re-saving changes nothing."""
    entries = read_header(path, teacher)
    digest = blake2b(digest_size=32)
    with path.open("rb") as file:
        start = 8 + int.from_bytes(file.read(8), "little")
        for name in names:
            entry = entries[name]
            _add(digest, [name, entry.dtype, entry.shape])
            begin, end = entry.data_offsets
            file.seek(start + begin)
            while begin < end:
                chunk = file.read(min(CHUNK_BYTES, end - begin))
                digest.update(chunk)
                begin += len(chunk)
    return digest.hexdigest()


def _memo_folder() -> Path:
    home = os.environ.get("TANDEM_HOME")
    return (Path(home) if home else Path.home() / ".tandem") / "cache" / "fingerprints"


def _remember(memo: Path, digest: str) -> None:
    """Only saves time: a home that cannot be written costs reading the weights again."""
    try:
        memo.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=memo.parent, delete=False) as file:
            file.write(digest)
        Path(file.name).replace(memo)
    except OSError:
        return
