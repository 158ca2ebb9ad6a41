"""A ZIP sent in pieces: after a break it goes on where the service says it is."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

from tandem.client.client import Client
from tandem.client.errors import RefusedError, UnreachableError
from tandem.client.responses import Upload

PIECE_BYTES = 8 * 2**20
MOST_BREAKS = 6
"""One after another, with no byte between them."""
PAUSE_SECONDS = 0.5
RECEIVING = "RECEIVING"

UploadProgress = Callable[[int, int], None]


def send(
    client: Client,
    file: Path,
    name: str,
    *,
    type: str | None = None,
    progress: UploadProgress = lambda sent, size: None,
    piece_bytes: int = PIECE_BYTES,
) -> Upload:
    """The file, whole, and unpacked there. Called again after a break, it goes on.

    Raises RefusedError, and UnreachableError once the service stays away.
    """
    with file.open("rb") as source:
        digest = hashlib.file_digest(source, "sha256").hexdigest()
    size_bytes = file.stat().st_size
    upload = client.begin_upload(name, size_bytes, digest, type)
    _pieces(client, upload, file, progress, piece_bytes)
    return client.complete_upload(upload.id)


def _pieces(
    client: Client, upload: Upload, file: Path, progress: UploadProgress, piece_bytes: int
) -> None:
    at, breaks = upload.offset, 0
    progress(at, upload.size_bytes)
    with file.open("rb") as source:
        while at < upload.size_bytes:
            source.seek(at)
            try:
                there = client.send_piece(upload.id, source.read(piece_bytes), at)
            except (UnreachableError, RefusedError) as error:
                if isinstance(error, RefusedError) and error.status not in (409, 503):
                    raise
                breaks += 1
                there = _offset(client, upload.id, breaks, error)
            if there > at:
                breaks = 0
            at = there
            progress(at, upload.size_bytes)


def _offset(client: Client, id: str, breaks: int, error: UnreachableError | RefusedError) -> int:
    """Where to go on; raises `error` when it has been asked often enough."""
    for number in range(breaks, MOST_BREAKS + 1):
        time.sleep(PAUSE_SECONDS * 2 ** (number - 1))
        try:
            found = client.upload(id)
        except UnreachableError:
            continue
        if found.status == RECEIVING:
            return found.offset
        break
    raise error
