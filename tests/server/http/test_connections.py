"""What a client may send before, and instead of, what it promised; over real sockets."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import uvicorn
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message

from tandem.server.http import connection, serve
from tandem.server.http.middleware.body import BodyLimit
from tandem.server.settings import ServerSettings
from tandem.spec.errors import SpecError
from tests.server.faults.small_server import SmallServer, wait_for

POST = b"POST / HTTP/1.1\r\nHost: x\r\n"


@contextmanager
def listening(app: ASGIApp) -> Iterator[int]:
    """The port of `app` behind the service's own connections."""
    config = uvicorn.Config(
        app, port=0, http=connection.CarefulConnection, lifespan="off", log_level="critical"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_for(lambda: server.started)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(connection, "HEAD_SECONDS", 0.3)
    app = BodyLimit(PlainTextResponse("done"), 1000, silent_seconds=0.3, whole_seconds=1.0)
    with listening(app) as port:
        yield port


def said(port: int, *pieces: bytes) -> bytes:
    """All that is answered until the service hangs up."""
    heard = b""
    with socket.create_connection(("127.0.0.1", port), 20) as client:
        try:
            for piece in pieces:
                client.sendall(piece)
            while part := client.recv(65536):
                heard += part
        except (ConnectionResetError, BrokenPipeError):
            pass  # hung up while we were talking
    return heard


LAST = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def test_a_right_request_passes(port: int):
    assert said(port, LAST).startswith(b"HTTP/1.1 200")
    slowly = [bytes([letter]) for letter in LAST]
    assert said(port, *slowly).startswith(b"HTTP/1.1 200")
    body = b"a" * 900
    first = POST + b"X: " + b"a" * 20000 + b"\r\nContent-Length: 900\r\n\r\n" + body
    assert said(port, first, first, LAST).count(b"HTTP/1.1 200") == 3


@pytest.mark.parametrize(
    "begin",
    [
        b"GET / HTTP/1.1\r\nX: ",
        b"GET /",
        POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: ",
        POST + b"Transfer-Encoding: chunked\r\n\r\n1;",
    ],
    ids=["header", "address", "trailer", "extension"],
)
def test_what_has_no_end_is_cut_off(port: int, begin: bytes):
    with socket.create_connection(("127.0.0.1", port), 20) as client:
        client.sendall(begin)
        with pytest.raises(OSError):  # noqa: PT011  reset, or a broken pipe
            client.sendall(b"a" * (100 * 2**20))
    assert said(port, LAST).startswith(b"HTTP/1.1 200")


def test_many_headers_are_cut_off(port: int):
    lines = [b"X%d: a\r\n" % number for number in range(1000)] * 20
    heard = said(port, b"GET / HTTP/1.1\r\nHost: x\r\n", *(b"".join(lines[:1000]),) * 20)
    assert heard.startswith(b"HTTP/1.1 431") or heard == b""  # reset before it was read


@pytest.mark.parametrize("begin", [b"", b"GET / HT", b"\r\n", LAST.replace(b"close", b"x") + b"G"])
def test_a_head_that_does_not_come_is_not_waited_for(port: int, begin: bytes):
    assert said(port, begin).split(b"HTTP/1.1 ")[-1].startswith(b"408")


def test_a_body_that_does_not_come_is_not_waited_for(port: int):
    begin = POST + b"Content-Length: 900\r\n\r\n"
    assert said(port, begin, b"{").startswith(b"HTTP/1.1 408")
    assert said(port, begin.replace(b"900", b"1001")).startswith(b"HTTP/1.1 413")


def test_a_body_that_drips_is_not_waited_for(port: int):
    ended = threading.Event()
    with socket.create_connection(("127.0.0.1", port), 20) as client:
        client.sendall(POST + b"Content-Length: 900\r\n\r\n")

        def drip() -> None:
            while not ended.wait(0.05):
                try:
                    client.send(b"a")
                except OSError:
                    return

        dripping = threading.Thread(target=drip)
        dripping.start()
        try:
            heard = client.recv(4096)
        except ConnectionResetError:
            heard = b"HTTP/1.1 408"
        ended.set()
        dripping.join()
    assert heard.startswith(b"HTTP/1.1 408")


def test_the_end_of_patience_is_not_lost_in_a_piece_that_comes_just_then():
    """A limit that is reached in the moment of a piece, which a test by the clock rarely meets."""

    async def answered() -> int:
        status, pieces = 0, 0

        async def receive() -> Message:
            nonlocal pieces
            pieces += 1
            assert pieces < 10**6, "it listens on for ever"
            await asyncio.sleep(0)
            return {"type": "http.request", "body": b"", "more_body": True}

        async def send(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)

        body = BodyLimit(PlainTextResponse("done"), 1000, silent_seconds=9, whole_seconds=0.005)
        scope = {"type": "http", "method": "POST", "path": "/", "headers": []}
        await body(scope, receive, send)
        return status

    async def often() -> set[int]:
        return {await answered() for _ in range(40)}

    # A loop of its own: the browser's tests may have left one in this thread.
    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(lambda: asyncio.run(often())).result() == {408}


def test_sigterm_lets_a_request_be_finished(home: Path, make_url: Callable[[str], str]):
    with SmallServer(home, make_url("sqlite")) as server:
        address = ("127.0.0.1", server.port)
        with socket.create_connection(address, 20) as client:
            head = b"POST /model-distillation/tasks HTTP/1.1\r\nHost: localhost\r\n"
            client.sendall(head + b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{")
            server.get("/actuator/health")  # on its way in meanwhile
            server.process.send_signal(signal.SIGTERM)
            wait_for(lambda: _refuses(server.port))
            client.sendall(b"}")
            assert client.recv(4096).startswith(b"HTTP/1.1 422")
        assert server.process.wait(30) == 0


def _refuses(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_a_file_without_a_token_opens_nothing(settings_of: Callable[..., ServerSettings]):
    settings = replace(settings_of("sqlite:///x.db"), host="0.0.0.0")  # noqa: S104
    file = settings.home / serve.TOKEN_FILE
    for content in (b"", b"\n", b"short", "密码密码密码密码".encode()):
        file.write_bytes(content)
        with pytest.raises(SpecError, match="holds no token"):
            serve._token(settings)
    file.unlink()
    token, where = serve._token(settings)
    assert (token, where) == serve._token(settings)
    assert len(token or "") > 40
    assert file.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in settings.home.iterdir()] == [serve.TOKEN_FILE]
