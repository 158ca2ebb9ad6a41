"""A small server that speaks as far as needed as ModelScope and Hugging Face do."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """Its models, by id, and what it was asked for."""

    def __init__(self) -> None:
        self.models: dict[str, dict[str, bytes]] = {}
        self.asked: list[tuple[str, str | None]] = []
        self.cut: set[str] = set()
        """Files of which the first answer ends half-way."""
        self.wrong_sum = False
        self.address = ""

    def publish(self, hub_id: str, folder: Path) -> None:
        self.models[hub_id] = {one.name: one.read_bytes() for one in folder.iterdir()}


@contextmanager
def serving() -> Iterator[Hub]:
    """A hub on a free port of this machine."""
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            _answer(self, hub)

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            """Nothing is printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _answer(handler: BaseHTTPRequestHandler, hub: Hub) -> None:
    parts = urlsplit(handler.path)
    steps, query = parts.path.strip("/").split("/"), parse_qs(parts.query)
    hub.asked.append((handler.path, handler.headers.get("Range")))
    if steps[:3] == ["api", "v1", "models"]:
        files = hub.models.get("/".join(steps[3:5]))
        if files is None:
            _send(handler, 404, json.dumps({"Code": 10010205001, "Message": "no"}).encode())
        elif steps[-1] == "files":
            _send(handler, 200, json.dumps(_listed(files, hub)).encode())
        else:
            _send_file(handler, hub, query["FilePath"][0], files)
    elif len(steps) == 5 and steps[2] == "resolve":  # owner/name/resolve/main/file
        files = hub.models.get("/".join(steps[:2]))
        if files is None or steps[4] not in files:
            code = "RepoNotFound" if files is None else "EntryNotFound"
            _send(handler, 404, b"", {"X-Error-Code": code, "X-Repo-Commit": COMMIT})
        else:
            etag = hashlib.sha256(files[steps[4]]).hexdigest()
            _send(handler, 200, files[steps[4]], {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT})
    else:
        _send(handler, 404, b"")


def _listed(files: dict[str, bytes], hub: Hub) -> dict[str, object]:
    found = [
        {
            "Path": name,
            "Name": name,
            "Type": "blob",
            "Size": len(data),
            "Sha256": "0" * 64 if hub.wrong_sum else hashlib.sha256(data).hexdigest(),
        }
        for name, data in files.items()
    ]
    return {"Code": 200, "Data": {"Files": [*found, {"Path": "onnx", "Type": "tree"}]}}


def _send_file(
    handler: BaseHTTPRequestHandler, hub: Hub, name: str, files: dict[str, bytes]
) -> None:
    data, asked = files[name], handler.headers.get("Range")
    start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
    whole = data[start:]
    body = whole
    if name in hub.cut:
        hub.cut.remove(name)
        body = whole[: len(whole) // 2]
    _send(handler, 206 if asked else 200, body, {"Content-Length": str(len(whole))})


def _send(
    handler: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str] | None = None
) -> None:
    handler.send_response(status)
    for name, value in ({"Content-Length": str(len(body))} | (headers or {})).items():
        handler.send_header(name, value)
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(body)
        if handler.close_connection or len(body) < int((headers or {}).get("Content-Length", 0)):
            handler.close_connection = True
