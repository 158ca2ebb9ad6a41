"""What a run says survives kills, threads, full disks and odd file names."""

import errno
import json
import math
import os
import threading

import pytest
from pydantic import ValidationError

from tandem.spec.errors import DiskFullError
from tandem.spec.event import parse
from tandem.train.sinks.base import Sink
from tandem.train.sinks.emitter import Emitter

STARTED = {"total_epochs": 3, "device": "cpu", "processes": 1, "pid": 1}


def events(folder):
    return [parse(line) for line in (folder / "events.jsonl").read_bytes().splitlines()]


class Heard(Sink):
    def __init__(self):
        self.events, self.ticks, self.closed = [], [], False

    def receive(self, event):
        self.events.append(event)

    def progress(self, doing, done, total):
        self.ticks.append((doing, done, total))

    def close(self):
        self.closed = True


def test_events_are_on_disk_before_a_sink_hears_them(tmp_path):
    class Looks(Sink):
        def receive(self, event):
            assert events(tmp_path)[-1] == event

    emitter = Emitter(tmp_path, "T", [Looks()])
    emitter.emit("started", **STARTED)
    emitter.notice("hello")
    emitter.close()
    assert [e.type for e in events(tmp_path)] == ["started", "notice"]


def test_a_cut_line_goes_and_numbers_go_on_without_a_gap(tmp_path):
    first = Emitter(tmp_path, "T")
    first.emit("started", **STARTED)
    first.notice("one")
    first.close()
    with (tmp_path / "events.jsonl").open("ab") as file:
        file.write(b'{"seq":3,"at":"2026-')
    second = Emitter(tmp_path, "T")
    assert second.attempt == 2
    second.emit("started", **STARTED, resumed_from_epoch=1)
    second.close()
    assert [(e.seq, e.attempt) for e in events(tmp_path)] == [(1, 1), (2, 1), (3, 2)]


def test_an_unknown_event_or_field_is_refused_and_leaves_no_line(tmp_path):
    emitter = Emitter(tmp_path, "T")
    with pytest.raises(ValidationError):
        emitter.emit("epok")
    with pytest.raises(ValidationError):
        emitter.emit("notice", message="x", colour="red")
    emitter.notice("fine")
    emitter.close()
    assert [e.seq for e in events(tmp_path)] == [1]


def test_many_threads_speak_and_each_number_comes_once(tmp_path):
    emitter = Emitter(tmp_path, "T", [Heard()])

    def speak():
        for _ in range(50):
            emitter.notice("x" * 2000)

    threads = [threading.Thread(target=speak) for _ in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    emitter.close()
    assert [e.seq for e in events(tmp_path)] == list(range(1, 401))


def test_progress_moves_the_bar_each_time_and_says_one_heartbeat_a_second(tmp_path):
    heard = Heard()
    emitter = Emitter(tmp_path, "T", [heard])
    for done in range(1000):
        emitter.progress("Filling the cache", done, 1000)
    emitter.close()
    assert len(heard.ticks) == 1000
    assert 1 <= len(events(tmp_path)) <= 3
    assert heard.closed


def test_nan_is_strict_json_on_disk_and_a_float_again_when_read(tmp_path):
    emitter = Emitter(tmp_path, "T")
    values = {"loss": math.nan, "grad_norm": math.inf}
    emitter.emit("metric", epoch=1, step=1, total_steps=2, values=values)
    emitter.close()

    def no_constant(name):
        raise AssertionError(name)

    json.loads((tmp_path / "events.jsonl").read_text(), parse_constant=no_constant)
    read = events(tmp_path)[0].values
    assert math.isnan(read["loss"])
    assert math.isinf(read["grad_norm"])


def test_a_file_name_that_is_no_utf8_can_be_named(tmp_path):
    emitter = Emitter(tmp_path, "T")
    emitter.notice("broken: " + os.fsdecode(b"caf\xe9.png"))
    emitter.close()
    assert events(tmp_path)[0].message == "broken: caf\\udce9.png"


def test_a_full_disk_is_an_error_with_a_fix_and_leaves_no_half_line(tmp_path, monkeypatch):
    emitter = Emitter(tmp_path, "T")
    emitter.notice("one")
    real = os.write

    def short(descriptor, data):
        return real(descriptor, data[: len(data) // 2])

    monkeypatch.setattr(os, "write", short)
    with pytest.raises(DiskFullError, match=r"events\.jsonl.*Free some space"):
        emitter.notice("two")

    def full(descriptor, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(DiskFullError):
        emitter.notice("three")
    monkeypatch.undo()
    emitter.notice("four")
    emitter.close()
    assert [(e.seq, e.message) for e in events(tmp_path)] == [(1, "one"), (2, "four")]
