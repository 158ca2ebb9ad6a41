"""Why a data base cannot be used, in a sentence with the fix and without a password."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from tandem.spec.errors import SpecError

_LOGIN = {1045, 1698, 1251, "28P01", "28000"}
_NO_SUCH = {1049, "3D000"}
_NO_RIGHT = {1044, 1142, 1143, 1227, 1370, "42501"}
_AWAY = {2002, 2003, 2005, 2006, 2013, 1040, "57P03", "53300"}
_BUSY = {1205, 1213, "55P03", "40P01"}
_MESSAGES = (
    # PostgreSQL gives no code where the connection itself is refused.
    (_LOGIN, ("password authentication failed", "no password supplied", "pg_hba.conf")),
    (_NO_RIGHT, ("permission denied",)),
    (_AWAY, ("refused", "timeout", "timed out", "could not translate", "resolve host", "closed")),
    (_AWAY, ("name or service not known", "starting up", "shutting down", "too many clients")),
    (_BUSY, ("database is locked", "database table is locked")),
)
# A role that does not exist is a wrong user, a data base that does not exist is not.
_NOT_THERE = "does not exist"


def fault(url: URL, error: DBAPIError) -> SpecError:
    """The sentence for what the driver said."""
    if url.get_backend_name() == "sqlite":
        return _of_file(url, error)
    name, host = url.database or "-", url.host or "localhost"
    host += f":{url.port}" if url.port else ""
    code = _code(error)
    if code in _LOGIN:
        return SpecError(
            "The data base at {host} refuses the user {user} or the password.",
            host=host,
            user=url.username or "-",
            fix="Mend TANDEM_DATABASE_URL.",
        )
    if code in _NO_SUCH:
        return SpecError(
            "There is no data base {name} at {host}.",
            name=name,
            host=host,
            fix="Create it (CREATE DATABASE {name}), or mend TANDEM_DATABASE_URL.",
        )
    if code in _NO_RIGHT:
        return SpecError(
            "The user {user} lacks a right to the data base {name}: {reason}.",
            user=url.username or "-",
            name=name,
            reason=_reason(url, error),
            fix="Grant all rights on this data base.",
        )
    if code in _AWAY:
        return SpecError(
            "No data base answers at {host}: {reason}.",
            host=host,
            reason=_reason(url, error),
            fix="Start it, or mend TANDEM_DATABASE_URL.",
        )
    if code in _BUSY:
        return busy()
    return SpecError(
        "The data base {name} refuses: {reason}.",
        name=name,
        reason=_reason(url, error),
        fix="Mend this, and try again: what was there is unchanged.",
    )


def busy() -> SpecError:
    return SpecError(
        "Somebody else holds the data base's tables.",
        fix="Stop what uses them, and try again.",
    )


def _code(error: DBAPIError) -> Any:
    original: Any = error.orig
    first = next(iter(getattr(original, "args", ())), None)
    code = first if isinstance(first, int) else getattr(original, "sqlstate", None)
    if code is not None:
        return code
    message = str(original).lower()
    if _NOT_THERE in message:
        return 1045 if "role " in message else 1049
    return next((min(codes, key=str) for codes, texts in _MESSAGES if _any(texts, message)), None)


def _any(texts: tuple[str, ...], message: str) -> bool:
    return any(text in message for text in texts)


def _reason(url: URL, error: DBAPIError) -> str:
    """The driver's words, in one line, without the password."""
    original: Any = error.orig
    args: tuple[Any, ...] = getattr(original, "args", ())
    message = str(args[1] if len(args) > 1 else original)
    line = " ".join(message.split()).rstrip(".")
    return line.replace(str(url.password), "***") if url.password else line


def prepare_file(url: URL) -> None:
    """The folder of a SQLite file, made for its owner alone if it is missing."""
    file = file_of(url)
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _folder(file) from error
    if not os.access(file.parent, os.W_OK | os.X_OK):
        raise _folder(file)


def file_of(url: URL) -> Path:
    """The file of a SQLite address."""
    return Path(url.database or "").absolute()


def _folder(file: Path) -> SpecError:
    return SpecError(
        "The folder {folder} cannot be written.",
        folder=file.parent,
        fix="Make it writable, or name another by TANDEM_DATABASE_URL or TANDEM_HOME.",
    )


def _of_file(url: URL, error: DBAPIError) -> SpecError:
    file, message = file_of(url), str(error.orig)
    if "not a database" in message or "malformed" in message:
        return SpecError(
            "The file {file} is no sound SQLite data base.",
            file=file,
            fix="Move it away, restore a backup, or mend TANDEM_DATABASE_URL.",
        )
    if "locked" in message:
        return busy()
    if "full" in message:
        return SpecError(
            "There is no room for the data base {file}.", file=file, fix="Free space on its disk."
        )
    if "readonly" in message or "unable to open" in message:
        if not file.exists():
            return _folder(file)
        return SpecError(
            "The file {file} cannot be opened for writing.",
            file=file,
            fix="Make it and its folder writable, or mend TANDEM_DATABASE_URL.",
        )
    return SpecError(
        "The data base {name} refuses: {reason}.",
        name=file,
        reason=_reason(url, error),
        fix="Mend this, and try again: what was there is unchanged.",
    )
