"""A small real HTTP server that speaks surface A, records what it took, and misbehaves on order."""

import contextlib
import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

BASE = "/model-distillation"


class Recorder:
    """`plan` says what to do with the next writes: "ok", "die before", "die after" or a status."""

    def __init__(self):
        self.took = []  # (method, rest of the path, body or query) of every write applied
        self.asked = []  # every request that arrived
        self.headers = []
        self.plan = []
        self.denied = {}  # the end of an address: the status that every write there gets
        self.retry_after = None  # with every answer, in UTF-8 as a careless server sends it
        self.reads_refused = False
        self.envelope_code = 200
        self.redirect_to = None
        self.port = 0
        self._server = None
        self._open = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def up(self):
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def setup(self):
                super().setup()
                recorder._open.append(self.request)

            def handle_any(self):
                recorder._handle(self)

            do_GET = do_POST = do_PUT = handle_any

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def down(self):
        self._server.shutdown()
        self._server.server_close()
        for connection in self._open:  # a keep-alive connection outlives its server
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def taken(self, what):
        return [body for _, path, body in self.took if path.endswith(what)]

    def _handle(self, handler):
        length = int(handler.headers.get("Content-Length") or 0)
        raw = handler.rfile.read(length)
        parts = urlsplit(handler.path)
        body = json.loads(raw) if raw else {k: v[0] for k, v in parse_qs(parts.query).items()}
        path = unquote(parts.path)
        self.asked.append((handler.command, path))
        self.headers.append(dict(handler.headers))
        if not path.startswith(BASE):
            return self._answer(handler, 404)
        if handler.command == "GET":
            return self._read(handler, path)
        if self.redirect_to:
            handler.send_response(307)
            handler.send_header("Location", self.redirect_to + handler.path)
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return None
        act = self.plan.pop(0) if self.plan else "ok"
        act = self.denied.get("/" + path.rsplit("/", 1)[-1], act)
        if isinstance(act, int):
            return self._answer(handler, act)
        if act != "die before":
            self.took.append((handler.command, path.removeprefix(BASE), body))
        if act != "ok":
            handler.close_connection = True
            handler.connection.close()
            return None
        return self._answer(handler, 200, code=self.envelope_code)

    def _read(self, handler, path):
        if self.reads_refused:
            return self._answer(handler, 405)
        rows = self.taken(path.rsplit("/", 1)[-1])
        if path.endswith(("/history", "/evaluations")):
            return self._answer(handler, 200, rows)
        return self._answer(handler, 200, self._task())

    def _task(self):
        task = {}
        for _, path, body in self.took:
            task |= body if path.endswith(("/progress", "/model-path", "/error")) else {}
            task |= {"status": "COMPLETED"} if path.endswith("/complete") else {}
            task |= {"status": "FAILED"} if path.endswith("/error") else {}
        return task

    def _answer(self, handler, status, data=None, code=None):
        said = {"code": code or status, "message": f"says {status}", "data": data}
        raw = json.dumps(said).encode()
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(raw)))
        if self.retry_after is not None:
            sent = self.retry_after.encode().decode("latin-1")
            handler.send_header("Retry-After", sent)
        handler.end_headers()
        handler.wfile.write(raw)
