"""The service in the foreground."""

from __future__ import annotations

import errno
import logging
import os
import secrets
import signal
import socket
from contextlib import suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path

import uvicorn

from tandem.config.hub import use_hub
from tandem.executors.base import Executor
from tandem.executors.registry import find
from tandem.server.app import create_app
from tandem.server.db.database import Database
from tandem.server.db.upgrade import check_at_start
from tandem.server.events.ending import EndingServer
from tandem.server.http.connection import CarefulConnection
from tandem.server.settings import ServerSettings, read
from tandem.server.tasks import task_log
from tandem.spec.errors import OutputFolderError, SpecError
from tandem.spec.i18n import t

TOKEN_FILE = "access_token"  # noqa: S105  a file's name
LEAST_TOKEN_LETTERS = 16
END_SECONDS = 10
KEEP_ALIVE_SECONDS = 30
LOG_BYTES, LOG_FILES = 10 * 2**20, 5
"""A log's size before the next is begun, and how many of the older ones stay."""


def serve(host: str | None, port: int | None, *, executor: Executor | None = None) -> int:
    """Until SIGTERM or Ctrl-C; trainings go on. Its exit code; SpecError and its like before."""
    settings = read(host=host, port=port)
    use_hub(settings.everything)
    _make_home(settings.home)
    log_file = _log_to(settings.home / "logs" / "service.log")
    # The port first: a second server by mistake ends here, and never touches the data base.
    with _listening(settings) as listener:
        _prepare(settings)
        token, where = _token(settings)
        if executor is None:
            executor = find(settings.executor)()
        app = create_app(settings, executor, dispatch=True, token=token)
        _say_where(settings, listener, where)
        print(t("Its log is {file}.", file=log_file), flush=True)
        for note in settings.everything.notes:
            print(note, flush=True)
        config = uvicorn.Config(
            app,
            http=CarefulConnection,
            ws="none",
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=END_SECONDS,
        )
        # uvicorn sends itself the signal again when it is done; then it has been heard already.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        server = EndingServer(config, app.state.context.hub)
        server.run(sockets=[listener])
    return 0 if server.started else 1


def _prepare(settings: ServerSettings) -> None:
    """The data base is there, and up to this version; a new file of it is for its owner alone."""
    # The umask, as it is SQLite that makes the file, and its journal beside it.
    before = os.umask(0o077)
    try:
        database = Database(settings.database_url)
        for done in check_at_start(database):
            print(done, flush=True)
        database.close()
    finally:
        os.umask(before)


def _make_home(home: Path) -> None:
    """Nobody else on the machine needs to read it."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = home / f".write-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise OutputFolderError(
            "TANDEM_HOME, {path}, cannot be written: {reason}.",
            path=home,
            reason=error.strerror or error,
            fix="Name a folder you may write to.",
        ) from error


def _log_to(file: Path) -> Path:
    """Warnings and what tasks do, to this file and to the terminal; of the owner alone."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        kept = RotatingFileHandler(
            file, maxBytes=LOG_BYTES, backupCount=LOG_FILES, encoding="utf-8", errors="replace"
        )
    except OSError as error:
        raise OutputFolderError(
            "The log {file} cannot be written: {reason}.",
            file=file,
            reason=error.strerror or error,
            fix="Name a folder you may write to.",
        ) from error
    logging.basicConfig(
        format="%(asctime)s %(levelname)s %(message)s",
        level=logging.WARNING,
        handlers=[logging.StreamHandler(), kept],
    )
    task_log.log.setLevel(logging.INFO)
    return file


def _listening(settings: ServerSettings) -> socket.socket:
    """The socket, taken before anything else is done."""
    try:
        found = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family, _, _, _, place = found[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
    except (OSError, OverflowError, UnicodeError) as error:
        raise _cannot_listen(settings, str(getattr(error, "strerror", None) or error)) from error
    try:
        # Else a port is taken for a minute after each restart.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
        listener.listen(2048)
    except (OSError, OverflowError) as error:
        listener.close()
        if getattr(error, "errno", None) == errno.EADDRINUSE:
            raise SpecError(
                "Port {port} is in use: another program, or another Tandem, listens there.",
                port=settings.port,
                fix="End it, or give another: `tandem serve --port {other}`.",
                other=settings.port % 65535 + 1,
            ) from error
        raise _cannot_listen(settings, str(getattr(error, "strerror", None) or error)) from error
    return listener


def _cannot_listen(settings: ServerSettings, reason: str) -> SpecError:
    return SpecError(
        "The service cannot listen on {host}, port {port}: {reason}.",
        host=settings.host,
        port=settings.port,
        reason=reason,
        fix="Give an address of this machine and a port from 1024 to 65535.",
    )


def _token(settings: ServerSettings) -> tuple[str | None, str | None]:
    """The token that opens the service, and where it is; None where only this machine reaches it.

    One that is set counts on loopback too.
    """
    if settings.access_token:
        return settings.access_token, "TANDEM_ACCESS_TOKEN"
    if settings.is_loopback:
        return None, None
    file = settings.home / TOKEN_FILE
    try:
        if not file.exists():
            _write_token(file)
        token = file.read_bytes().strip()
    except OSError as error:
        raise OutputFolderError(
            "The file {file} cannot be used: {reason}.",
            file=file,
            reason=error.strerror or error,
            fix="Remove it, and another is made; or set TANDEM_ACCESS_TOKEN.",
        ) from error
    if len(token) < LEAST_TOKEN_LETTERS or not token.isascii():
        raise SpecError(
            "The file {file} holds no token.",
            file=file,
            fix="Remove it, and another is made; or set TANDEM_ACCESS_TOKEN.",
        )
    return token.decode(), str(file)


def _write_token(file: Path) -> None:
    """Whole or not at all: half a token would be easy to guess. Another server may be first."""
    made = file.with_name(f".{TOKEN_FILE}-{os.getpid()}")
    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
        stream.write(secrets.token_urlsafe(32) + "\n")
    with suppress(FileExistsError):
        # A link fails where the file is there, and a rename would replace it: the token of whoever
        # came first counts for both.
        os.link(made, file)
    made.unlink()


def _say_where(settings: ServerSettings, listener: socket.socket, token_at: str | None) -> None:
    port = listener.getsockname()[1]
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    print(t("Tandem listens on {url}", url=f"http://{host}:{port}"), flush=True)
    if token_at is not None:
        print(t("It wants the token that {place} holds.", place=token_at), flush=True)
    elif settings.is_loopback:
        print(
            t(
                "Only this machine reaches it. `tandem serve --host 0.0.0.0` opens it to others,"
                " with a token."
            ),
            flush=True,
        )
