"""Streams of a real server, read over HTTP."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
import uvicorn

from tandem.executors.fake import FakeExecutor
from tandem.server.app import create_app
from tandem.server.db.database import Database
from tandem.server.db.tables import Job, TaskEvent
from tandem.server.events import channel, stream
from tandem.server.events.collect import collect
from tandem.server.events.ending import EndingServer
from tandem.server.host.clock import now
from tandem.spec.journal import NAME
from tests.server.events.rows import job, line, task
from tests.server.faults.small_server import wait_for

TASK = "TASK_00000001"


class Service:
    """The service on its own thread and port, and one run that it reads."""

    def __init__(self, database: Database, settings: object, folder: Path) -> None:
        self.app = create_app(settings, FakeExecutor())  # type: ignore[arg-type]
        self.context = self.app.state.context
        self.database, self.folder = database, folder
        self.folder.mkdir()
        config = uvicorn.Config(self.app, port=0, log_level="error", lifespan="off")
        self.server = EndingServer(config, self.context.hub)
        self.thread = threading.Thread(target=self.server.run)
        self.thread.start()
        until = time.monotonic() + 20
        while not self.server.started and time.monotonic() < until:
            time.sleep(0.01)
        port = self.server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/api/v1"

    def says(self, *lines: bytes) -> None:
        with (self.folder / NAME).open("ab") as file:
            file.write(b"".join(lines))
        self.collect()

    def collect(self) -> None:
        with self.database.read() as session:
            found: Job = job(session)
            session.expunge(found)
        while collect(self.context, [found]):
            pass

    def tells(self, type: str, **body: object) -> None:
        with self.database.write() as session:
            session.add(TaskEvent(task_id=TASK, at=now(), type=type, body=json.dumps(body)))
        self.context.hub.wake()

    def end(self) -> None:
        self.server.handle_exit(signal.SIGTERM, None)
        self.thread.join(20)
        assert not self.thread.is_alive()
        self.context.database.close()


class Reader:
    """A client of a stream: frames as (id, type, data)."""

    def __init__(self, service: Service, path: str = f"/tasks/{TASK}/events", **asked: str) -> None:
        self._client = httpx.Client(timeout=20)
        headers = {"Last-Event-ID": asked.pop("last_id")} if "last_id" in asked else {}
        request = self._client.build_request(
            "GET", service.url + path, params=asked, headers=headers
        )
        self.response = self._client.send(request, stream=True)
        self._lines = self.response.iter_lines()

    def frame(self) -> tuple[str, str, dict[str, object]]:
        found: dict[str, str] = {}
        for text in self._lines:
            if text == "" and "data" in found:
                return found["id"], found["event"], json.loads(found["data"])
            name, _, value = text.partition(": ")
            found[name] = value
        raise EOFError

    def until(self, wanted: str) -> list[tuple[str, str, dict[str, object]]]:
        """All frames up to the first of a type."""
        got = [self.frame()]
        while got[-1][1] != wanted:
            got.append(self.frame())
        return got

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.response.close()
        self._client.close()


@pytest.fixture
def service(
    database: Database, settings_of: Callable[..., object], tmp_path: Path
) -> Iterator[Service]:
    yield from _service(database, settings_of, tmp_path)


@pytest.fixture
def quick(
    sqlite: Database, settings_of: Callable[..., object], tmp_path: Path
) -> Iterator[Service]:
    yield from _service(sqlite, settings_of, tmp_path)


def _service(
    database: Database, settings_of: Callable[..., object], folder: Path
) -> Iterator[Service]:
    task(database, run_dir=str(folder / "run"), live=1)
    url = database.url.render_as_string(hide_password=False)
    made = Service(database, settings_of(url), folder / "run")
    yield made
    made.end()


def seqs(frames: list[tuple[str, str, dict[str, object]]]) -> list[object]:
    return [data["seq"] for _, _, data in frames if "seq" in data]


def test_the_history_comes_first_and_then_what_happens(service: Service):
    service.says(line(1, "started"), line(2, "notice", message="你好 🙂"))
    with Reader(service) as reader:
        assert reader.response.headers["content-type"].startswith("text/event-stream")
        assert reader.response.headers["x-accel-buffering"] == "no"
        assert seqs(reader.until("notice")) == [1, 2]
        service.says(line(3, "epoch"))
        service.tells("adopted", by="server b")
        live = [reader.frame(), reader.frame()]
        assert sorted(kind for _, kind, _ in live) == ["adopted", "epoch"]
        service.says(line(4, "finished"))
        rest = reader.until("state")
    assert rest[-1][2]["status"] == "COMPLETED"
    assert seqs(rest) == [4]


def test_who_comes_back_misses_nothing_and_hears_nothing_twice(service: Service):
    service.tells("queued")
    service.says(line(1, "started"), line(2, "metric"), line(3, "metric"), line(4, "epoch"))
    with Reader(service) as reader:
        whole = [reader.frame() for _ in range(5)]
    for cut in range(5):
        with Reader(service, last_id=whole[cut][0]) as reader:
            service.tells("marker", turn=cut)
            heard = reader.until("marker")
            while heard[-1][2]["turn"] != cut:
                heard += reader.until("marker")
        expected = [data for _, _, data in whole[cut + 1 :]]
        assert [data for _, kind, data in heard if kind != "marker"] == expected


def test_only_the_types_asked_for(quick: Service):
    quick.says(line(1, "started"), line(2, "metric"), line(3, "epoch"), line(4, "notice"))
    with Reader(quick, types="epoch,notice") as reader:
        assert [kind for _, kind, _ in reader.until("notice")] == ["epoch", "notice"]


def test_from_now_on_leaves_the_history_out(quick: Service):
    quick.says(line(1, "started"), line(2, "epoch"))
    with Reader(quick, last_event_id="now") as reader:
        quick.says(line(3, "metric"))
        assert reader.frame()[0].startswith("3-")


def test_all_tasks_states_in_one_stream(quick: Service):
    task(quick.database, "TASK_00000002")
    quick.tells("old")
    with Reader(quick, "/events", last_event_id="now") as reader:
        quick.tells("queued")
        _, kind, data = reader.frame()
    assert (kind, data["task_id"]) == ("queued", TASK)


def test_a_reader_who_fell_behind_memory_is_served_from_the_journal(
    quick: Service, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(channel, "KEPT_BYTES", 2_000)
    monkeypatch.setattr(channel, "PAGE_BYTES", 1_500)
    with Reader(quick, last_event_id="now") as reader:
        for first in range(1, 401, 40):
            quick.says(*(line(seq, "metric", step=seq) for seq in range(first, first + 40)))
        assert seqs([reader.frame() for _ in range(400)]) == list(range(1, 401))


def test_a_reader_who_does_not_read_is_let_go(quick: Service, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stream, "STALLED_SECONDS", 0.5)
    text = "x" * 50_000
    quick.says(*(line(seq, "notice", message=text) for seq in range(1, 201)))
    with Reader(quick) as reader:
        until = time.monotonic() + 20
        while quick.context.hub.listeners == 0 and time.monotonic() < until:
            time.sleep(0.02)
        while quick.context.hub.listeners and time.monotonic() < until:
            time.sleep(0.02)
        assert quick.context.hub.listeners == 0
        with suppress(EOFError, httpx.HTTPError):
            got, last = 0, "0-0"
            while True:
                last, got = reader.frame()[0], got + 1
    assert 0 < got < 200
    with Reader(quick, last_id=last) as reader:
        assert seqs([reader.frame() for _ in range(200 - got)]) == list(range(got + 1, 201))


def test_a_journal_begun_anew_is_told_from_its_beginning(quick: Service):
    quick.says(line(1, "started"), line(2, "notice"), line(3, "notice"))
    with Reader(quick) as reader:
        last = [reader.frame() for _ in range(3)][-1][0]
        (quick.folder / NAME).unlink()
        quick.says(line(1, "started", pid=2), line(2, "epoch"))
        live = reader.until("epoch")
    assert [kind for _, kind, _ in live] == ["rewound", "started", "epoch"]
    # Once while somebody may still listen, once when nobody has for a while.
    for _ in range(2):
        with Reader(quick, last_id=last) as reader:
            told = [kind for _, kind, _ in reader.until("epoch")]
        assert told == ["rewound", "started", "epoch"]
        wait_for(lambda: quick.context.hub._watcher.done())


def test_a_stream_without_news_beats(quick: Service, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 0.05)
    with Reader(quick) as reader:
        assert next(text for text in reader._lines if text.startswith(":"))


def test_streams_end_when_the_server_does(quick: Service):
    with Reader(quick) as reader:
        quick.says(line(1, "started"))
        reader.frame()
        quick.end()
        with pytest.raises(EOFError):
            reader.frame()


def test_an_unknown_task_is_refused_before_the_stream_begins(quick: Service):
    for path in ("/tasks/TASK_FFFFFFFF/events", "/tasks/..%2f..%2fetc/events"):
        assert httpx.get(quick.url + path).status_code == 404


@pytest.mark.parametrize("last", ["x", "1", "-1-2", "1-2-3", "9" * 40 + "-1", "1-\u0664"])
def test_an_id_that_is_none_is_refused(quick: Service, last: str):
    asked = {"last_event_id": last}
    assert httpx.get(f"{quick.url}/tasks/{TASK}/events", params=asked).status_code == 422


def test_an_id_of_the_future_hears_everything(quick: Service):
    quick.says(line(1, "started"), line(2, "notice"))
    with Reader(quick, last_id="999-999") as reader:
        assert seqs(reader.until("notice")) == [1, 2]


def test_two_servers_on_one_data_base_both_tell(
    service: Service, settings_of: Callable[..., object], tmp_path: Path
):
    url = service.database.url.render_as_string(hide_password=False)
    standby = Service(service.database, settings_of(url), tmp_path / "none")
    try:
        with Reader(standby) as reader:
            service.says(line(1, "started"), line(2, "epoch"))
            service.tells("adopted")
            assert sorted(kind for _, kind, _ in (reader.frame() for _ in range(3))) == [
                "adopted",
                "epoch",
                "started",
            ]
    finally:
        standby.end()
