"""The live stream, through servers that die and come back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import islice

import httpx
import pytest

from tandem.client import stream
from tandem.client.client import Client
from tandem.client.errors import RefusedError, UnreachableError
from tandem.client.responses import Task
from tandem.client.stream import RawServiceEvent, ServerSentEvent, TaskStream, frames
from tandem.spec.event import Epoch, Finished
from tests.server.faults.small_server import SmallServer, wait_for


def states(said: list) -> list[str]:
    return [
        one.body["status"]
        for one in said
        if isinstance(one, RawServiceEvent) and one.type == "state"
    ]


def test_a_server_killed_and_started_again_loses_nothing(
    server: SmallServer, client: Client
) -> None:
    task_id = server.create(epochs=40, epoch_seconds=0.05, start=True)
    away: list[bool] = []
    said, heard = [], threading.Event()

    def listen() -> None:
        for one in client.follow(task_id, on_away=away.append):
            said.append(one)
            if isinstance(one, Epoch) and one.epoch == 3:
                heard.set()

    listener = threading.Thread(target=listen)
    listener.start()
    assert heard.wait(30)
    server.kill()
    wait_for(lambda: away)
    server.start()
    listener.join(60)
    assert not listener.is_alive()
    assert [one.epoch for one in said if isinstance(one, Epoch)] == list(range(1, 41))
    seqs = [one.seq for one in said if not isinstance(one, RawServiceEvent)]
    assert seqs == sorted(set(seqs))
    assert any(isinstance(one, Finished) for one in said)
    assert states(said)[-1] == "COMPLETED"
    assert away[0] is True
    assert away.count(True) == away.count(False)


def test_it_goes_on_past_the_end_of_an_attempt_that_was_resumed(
    server: SmallServer, client: Client
) -> None:
    task_id = server.create(epochs=30, epoch_seconds=0.05, start=True)
    wait_for(lambda: client.task(task_id).current_epoch)
    client.stop(task_id)
    wait_for(lambda: client.task(task_id).status == "STOPPED")
    assert states(list(client.follow(task_id)))[-1] == "STOPPED"
    client.resume(task_id)
    wait_for(lambda: client.task(task_id).status == "COMPLETED")
    said = list(client.follow(task_id))
    assert [state for state in states(said) if state in ("STOPPED", "COMPLETED")] == [
        "STOPPED",
        "COMPLETED",
    ]
    assert max(one.epoch for one in said if isinstance(one, Epoch)) == 30


def test_another_stream_goes_on_where_one_was_left(server: SmallServer, client: Client) -> None:
    task_id = server.create(epochs=5, start=True)
    wait_for(lambda: client.task(task_id).ended)
    whole = list(client.follow(task_id))
    first = client.follow(task_id)
    begun = list(islice(first, 4))
    # The fourth may not have been dealt with: it is told again rather than lost. Between a run's
    # events and others the order may differ from time to time.
    rest = list(client.follow(task_id, first.last_id))
    assert sorted(map(repr, begun[:3] + rest)) == sorted(map(repr, whole))


def test_a_task_that_is_none_is_said_at_once(client: Client) -> None:
    with pytest.raises(RefusedError) as caught:
        list(client.follow("TASK_00000000"))
    assert caught.value.exit_code == 2
    assert caught.value.status == 404


def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "BACKOFF_SECONDS", (0.0, 0.0))
    asked = 0

    def answer(request: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        if asked > 1:
            raise httpx.ConnectError("refused")
        return httpx.Response(200, text="retry: 10\n\n")

    http = httpx.Client(transport=httpx.MockTransport(answer), base_url="http://there")
    one = TaskStream(
        http, "http://there", "T", lambda: pytest.fail("not asked"), patience_seconds=0.05
    )
    with pytest.raises(UnreachableError, match="tandem serve"):
        list(one)
    assert asked > 1


def test_a_service_away_at_the_end_is_asked_again_how_it_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stream, "BACKOFF_SECONDS", (0.0, 0.0))
    ended = 'id: 0-1\nevent: state\ndata: {"status": "STOPPED"}\n\n'
    http = httpx.Client(
        transport=httpx.MockTransport(lambda _: httpx.Response(200, text=ended)),
        base_url="http://there",
    )
    left = [UnreachableError("away"), None]

    def task() -> Task:
        if error := left.pop(0):
            raise error
        return Task(task_id="T", name="n", status="STOPPED")

    assert [one.type for one in TaskStream(http, "http://there", "T", task)] == ["state"]


def test_a_stream_taken_up_after_the_end_does_not_wait_for_another() -> None:
    def told() -> Iterator[bytes]:
        yield b": still here\n\n" * (stream.QUIET_COMMENTS - 1)
        yield b"id: 5-0\nevent: later\ndata: {}\n\n"
        yield b": still here\n\n" * stream.QUIET_COMMENTS
        pytest.fail("read on")

    http = httpx.Client(
        transport=httpx.MockTransport(lambda _: httpx.Response(200, content=told())),
        base_url="http://there",
    )
    ended = Task(task_id="T", name="n", status="FAILED")
    found = list(TaskStream(http, "http://there", "T", lambda: ended, "4-4"))
    assert [one.type for one in found] == ["later"]


def test_frames_are_read_as_the_standard_says() -> None:
    lines = [
        "retry: 1000", "", ": still here", "id: 1-0", "event: epoch", "data: {", "data:}", "",
        "data: plain", "", "id: 9-9", "event: half", "data: never ended",
    ]  # fmt: skip
    assert list(frames(iter(lines))) == [
        ServerSentEvent("", "", ""),
        ServerSentEvent("1-0", "epoch", "{\n}"),
        ServerSentEvent("", "message", "plain"),
    ]
