"""What a person does with a home: the command line, `tandem.load`, `python -m tandem.train`, REST.

Nothing of Tandem is imported by name but its two doors, so that a module may be called otherwise.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import runpy
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from tests.compat.home import DATABASE, TOKEN

SECONDS, STILL = 200.0, 2.0
SIGNALS = (signal.SIGTERM, signal.SIGINT)


def environment(home: Path) -> dict[str, str]:
    """Of a person who has this home and no other setting."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("TANDEM_")}
    return kept | {
        "TANDEM_HOME": str(home),
        "TANDEM_LANG": "en",
        "TANDEM_CPU_SLOTS": "1",
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "COLUMNS": "200",
        "TZ": "UTC",
    }


@contextlib.contextmanager
def person(home: Path, *argv: str) -> Iterator[tuple[io.StringIO, io.StringIO]]:
    """This process as hers; what it prints."""
    before, words, handlers = dict(os.environ), sys.argv, [signal.getsignal(s) for s in SIGNALS]
    out, err = io.StringIO(), io.StringIO()
    hers = environment(home)
    os.environ.clear()
    os.environ.update(hers)
    sys.argv = list(argv)
    time.tzset()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            yield out, err
    finally:
        # What a library has told itself there, such as to be silent, it reads again later.
        added = {key: one for key, one in os.environ.items() if key not in hers}
        os.environ.clear()
        os.environ.update(added | before)
        time.tzset()
        sys.argv = words
        for number, handler in zip(SIGNALS, handlers, strict=True):
            signal.signal(number, handler)


def tandem(home: Path, *words: str) -> tuple[int, str]:
    """The exit code of `tandem WORDS`, and what it prints."""
    from tandem.cli import main

    code: Any = 0
    with person(home, "tandem", *words) as (out, err):
        try:
            main()
        except SystemExit as leaving:
            code = leaving.code or 0
    return int(code), out.getvalue() + (err.getvalue() if code else "")


def train(home: Path, spec: Path) -> tuple[int, str]:
    """The same of `python -m tandem.train SPEC`."""
    code: Any = 0
    with person(home, "tandem.train", str(spec)) as (out, err):
        try:
            with warnings.catch_warnings():
                # Of a module that another test has imported by its name.
                warnings.filterwarnings("ignore", message=r"'tandem\.train\.", append=False)
                runpy.run_module("tandem.train", run_name="__main__", alter_sys=True)
        except SystemExit as leaving:
            code = leaving.code or 0
    return int(code), out.getvalue() + err.getvalue()


class Service:
    """`with Service(home) as service`: `tandem serve` on it, in a process of its own."""

    def __init__(self, home: Path, *, idle: bool = False) -> None:
        self.home, self.idle = home, idle
        self.log = home.with_name(f"{home.name}.serve.log")

    def __enter__(self) -> Service:
        self._held = threading.Event()
        if self.idle:
            self._beat()
            self._beating = threading.Thread(target=self._hold, daemon=True)
            self._beating.start()
        command = [sys.executable, "-m", "tandem.cli", "serve", "--port", "0"]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command, env=environment(self.home), stdout=log, stderr=log
            )
        try:
            self.base = self.until(self._address)
        except BaseException:
            self._held.set()
            self.process.kill()
            raise
        self.http = httpx.Client(base_url=self.base, timeout=60)
        return self

    def __exit__(self, *_: object) -> None:
        self._held.set()
        self.http.close()
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.unlink()

    def _address(self) -> str | None:
        said = self.log.read_text()
        assert self.process.poll() is None, said
        found = [word for word in said.split() if word.startswith("http://")]
        with contextlib.suppress(httpx.TransportError):
            if found and httpx.get(f"{found[0]}/actuator/health").status_code == 200:
                return found[0]
        return None

    def until(self, ask: Any) -> Any:
        """What `ask` gives once it is something."""
        end = time.monotonic() + SECONDS
        while not (found := ask()):
            assert time.monotonic() < end, self.log.read_text()
            time.sleep(0.05)
        return found

    def _hold(self) -> None:
        """Be the service that dispatches, so that the one here only answers."""
        while not self._held.wait(1.0):
            self._beat()

    def _beat(self, owner: str = "another") -> None:
        change = "INSERT INTO md_lease (name, owner, beat) VALUES ('dispatcher', ?, 1)"
        change += " ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, beat = beat + 1"
        with contextlib.closing(sqlite3.connect(self.home / DATABASE, timeout=15)) as connection:
            connection.execute(change, (owner,))
            connection.commit()

    def dispatch(self) -> None:
        """The other one has ended."""
        self._held.set()
        self._beating.join()
        self._beat("")

    def ask(self, method: str, path: str, **more: Any) -> Any:
        """The JSON of an answer that must be a good one."""
        answer = self.http.request(method, path, **more)
        assert answer.is_success, f"{path}: {answer.text}"
        return answer.json() if answer.content else None

    def get(self, path: str) -> Any:
        """What a GET gives: [status, its JSON, the events of a stream, or what it is of]."""
        # Only of a stream is it asked to be still: another answer may be slow on a busy machine.
        read = STILL if path.partition("?")[0].endswith("/events") else 60.0
        with self.http.stream("GET", path, timeout=httpx.Timeout(60, read=read)) as answer:
            said = answer.headers.get("content-type", "").split(";")[0]
            if said == "text/event-stream":
                return [answer.status_code, self._stream(answer)]
            answer.read()
        if said in ("application/json", "application/problem+json"):
            return [answer.status_code, plain(self.home, answer.json())]
        if said == "text/plain":
            return [answer.status_code, plain(self.home, answer.text.splitlines())]
        return [answer.status_code, said]

    def _stream(self, answer: httpx.Response) -> list[Any]:
        """Its events, until it has told the history and is still."""
        found = []
        with contextlib.suppress(httpx.ReadTimeout):
            for line in answer.iter_lines():
                if line.startswith("data:"):
                    found.append(plain(self.home, json.loads(line[5:])))
        return found


def plain(home: Path, value: Any) -> Any:
    """With one word for every home."""
    return json.loads(json.dumps(value).replace(str(home), TOKEN))
