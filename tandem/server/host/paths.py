"""A name that a client gave, as a path inside a root, or refused."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote

from tandem.server.errors import ForbiddenError

MAX_NAME_BYTES = 4096


def inside(root: Path, name: str) -> Path:
    """`name` within `root`, with symbolic links followed; ForbiddenError when it leaves it.

    A name that leaves the root only once it is decoded (again) is refused too: what stands
    behind the service may decode it.
    """
    base = Path(os.path.realpath(root))
    plain = name
    for _ in range(3):
        if not _is_plain(plain):
            raise _outside()
        plain = unquote(plain)
    if not _is_plain(plain):
        raise _outside()
    try:
        path = Path(os.path.realpath(base / name))
    except (OSError, ValueError) as error:
        raise _outside() from error
    if not path.is_relative_to(base):
        raise _outside()
    return path


def really_below(path: Path | str, *roots: Path | str) -> Path | None:
    """Where `path` is once links are followed; None unless that is below one of the roots.

    A root itself is not below it. What no file can be called is nowhere; of a circle of links
    the path is given as far as it goes, where nothing can be opened.
    """
    try:
        real = Path(os.path.realpath(path))
        for root in map(os.path.realpath, roots):
            if real != Path(root) and real.is_relative_to(root):
                return real
    except (OSError, ValueError):
        pass
    return None


def _is_plain(name: str) -> bool:
    """Relative, with no step up, and nothing that no file's name has."""
    if "\0" in name or len(name.encode("utf-8", "surrogatepass")) > MAX_NAME_BYTES:
        return False
    if any("\ud800" <= letter <= "\udfff" for letter in name):
        return False
    windows = name.replace("\\", "/")
    return not windows.startswith("/") and ".." not in windows.split("/")


def _outside() -> ForbiddenError:
    return ForbiddenError(
        "The path is outside the folder it belongs to.",
        fix="Give a relative path without '..'.",
    )
