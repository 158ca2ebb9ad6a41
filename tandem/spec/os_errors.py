"""What the system says of disks and names, told from all other failures: here and nowhere else.

Few libraries pass an OSError on. PyTorch, safetensors, SQLite and the exporters each have words of
their own for a disk without room, and what runs on must not take them for a fault of the code.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

from tandem.spec.errors import DiskFullError, SpecError, TandemError

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""No room on the disk, in the quota, or in what one file may have."""
NAMES = frozenset({errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR})
"""A name that no file can have, links in a circle, a file where a folder should be."""
_UNUSABLE = NAMES | {errno.EACCES, errno.EPERM, errno.EROFS}
_FULL_WORDS = re.compile(
    "|".join(
        [
            *(re.escape(os.strerror(number)) for number in sorted(FULL)),
            # PyTorch's writer: the first as it writes, the second as it closes what it cut short.
            r"inline_container\.cc.*file write failed",
            r"PytorchStreamWriter failed writing file",
            r"inline_container\.cc.*unexpected pos",
            r"database or disk is full",  # SQLite
            r"No space left on device",  # as Rust's libraries say it, in any language
            r"\(os error (?:28|122|27)\)",
            r"There is not enough space on the disk",
        ]
    ),
    re.DOTALL,
)


def is_disk_full(error: BaseException) -> bool:
    """Whether no room was the reason, also where a library has wrapped the system's error."""
    return any(_says_full(one) for one in _chain(error))


def disk_full(error: BaseException, path: Path | str | None = None) -> DiskFullError:
    """The error in words, with what could not be written: `path`, or what the system named."""
    named = path or next(
        (
            one.filename
            for one in _chain(error)
            if isinstance(one, OSError) and one.errno in FULL and one.filename
        ),
        None,
    )
    if named is None:
        return DiskFullError(
            "The disk is full; what was saved before is kept.",
            fix="Free some space (`tandem cache gc` shows what the cache holds), start again.",
        )
    return DiskFullError(
        "The disk is full: {path} could not be written; what was saved before is kept.",
        path=os.fsdecode(named) if isinstance(named, bytes) else named,
        fix="Free some space (`tandem cache gc` shows what the cache holds), start again.",
    )


class Translated:
    """A context in which an error that `translate` knows is raised as what it gives.

    Every other error, and one that it gives back as it is, passes through untouched.
    """

    def __init__(self, translate: Callable[[Exception], TandemError | None]) -> None:
        self.translate = translate

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        known = self.translate(error) if isinstance(error, Exception) else None
        if known is not None and known is not error:
            raise known from error


def writing(path: Path) -> Translated:
    """A full disk becomes DiskFullError that names `path`, whichever library writes there."""

    def translate(error: Exception) -> TandemError | None:
        told = isinstance(error, DiskFullError) or not is_disk_full(error)
        return None if told else disk_full(error, path)

    return Translated(translate)


def unusable_path(error: BaseException, numbers: frozenset[int] = NAMES) -> SpecError | None:
    """A sentence for a path that the system does not take; None for any other error."""
    if isinstance(error, RuntimeError) and "Symlink loop" in str(error):  # pathlib's before 3.13
        path, reason = str(error).rpartition(" ")[2].strip("'"), os.strerror(errno.ELOOP)
    elif isinstance(error, OSError) and error.errno in numbers:
        path, reason = str(error.filename), error.strerror or os.strerror(error.errno or 0)
    else:
        return None
    return path_error(path, reason)


def path_error(path: str, reason: str) -> SpecError:
    """The sentence for a path that cannot be used; of a long one its beginning is shown."""
    return SpecError(
        "The path {path} cannot be used: {reason}.",
        path=path[:200] + ("…" if len(path) > 200 else ""),
        reason=reason,
        fix="Give another path, or the right to it.",
    )


def known_error(error: Exception) -> TandemError | None:
    """The error as one of ours; None for what neither a disk nor a name has brought about."""
    if isinstance(error, DiskFullError):
        return error
    if is_disk_full(error):
        # Also where a part of ours took it for a fault of its own, and said so.
        return disk_full(error)
    return error if isinstance(error, TandemError) else unusable_path(error, _UNUSABLE)


def _says_full(error: BaseException) -> bool:
    if isinstance(error, DiskFullError):
        return True
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in FULL
    # What we say ourselves may quote a name; what it was raised from is looked at by itself.
    return not isinstance(error, TandemError) and bool(_FULL_WORDS.search(str(error)))


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and those behind it: causes, and what it was raised beside."""
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        beside = None if isinstance(one, TandemError) else one.__context__
        one = one.__cause__ or beside
