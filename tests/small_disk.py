"""A real disk with little room."""

from __future__ import annotations

import gc
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A tmpfs of `size` (as mount has it) at `folder`; skips where nobody may mount one."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True).returncode != 0:
        if os.environ.get("CI") == "true":
            pytest.fail("CI may not mount a tmpfs")
        pytest.skip("may not mount a tmpfs")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path, leave_bytes: int) -> Path:
    """Take the room but for `leave_bytes`; the file that takes it."""
    # An error that is still held holds its writer, and that the room of a file without a name.
    gc.collect()
    ballast = folder / "ballast"
    disk = os.statvfs(folder)
    with ballast.open("wb") as out:
        os.posix_fallocate(out.fileno(), 0, max(disk.f_bavail * disk.f_frsize - leave_bytes, 1))
    return ballast
