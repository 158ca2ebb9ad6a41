"""A model tried in the page: a real process, a real picture, and what goes wrong."""

import base64
import io
import os
import signal
import time

import numpy as np
import pytest
from PIL import Image

from tandem.server.errors import UnavailableError
from tandem.server.models.workers import Workers
from tests.predict.test_kinds import save
from tests.train.export.models import CLASSES

TRY = "/api/v1/models/TASK_1/try"


def image(width=40, height=30, kind="PNG"):
    rng = np.random.default_rng(1)
    kept = io.BytesIO()
    small = Image.fromarray(rng.integers(0, 256, (5, 7, 3), np.uint8))
    small.resize((width, height)).save(kept, kind)
    return kept.getvalue()


def send(client, content, name="cat.png", at=TRY):
    return client.post(at, files={"file": (name, content, "image/png")})


def workers(client):
    return client.app.state.context.workers


def is_there(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_an_image_is_answered_by_a_process_that_stays(service, home):
    client = service()
    first = send(client, image())
    assert first.status_code == 200, first.text
    said = first.json()
    assert (said["kind"], said["width"], said["height"]) == ("classification", 40, 30)
    assert said["answer"]["label"] in CLASSES
    assert len(said["answer"]["top"]) == len(CLASSES)
    assert sum(one["confidence"] for one in said["answer"]["top"]) == pytest.approx(1)
    assert said["answer"]["confidence"] == said["answer"]["top"][0]["confidence"]
    assert 0 < said["milliseconds"] < said["whole_milliseconds"]
    assert (said["first"], said["device"], said["mask_png_base64"]) == (True, "cpu", None)
    (pid,) = workers(client).pids.values()
    again = send(client, image()).json()
    assert again["first"] is False
    assert again["answer"] == said["answer"]
    _bad_inputs_are_told(client)
    assert list(workers(client).pids.values()) == [pid]
    _one_that_does_not_answer_is_ended(client, home, pid)
    _masks_come_as_an_image_in_colour(client, home)
    (pid,) = workers(client).pids.values()
    client.__exit__(None, None, None)
    assert not is_there(pid)
    client.__enter__()


def _bad_inputs_are_told(client):
    """Each refused with a sentence, by the same process, which goes on."""
    broken = send(client, b"no picture", "猫.png")
    assert broken.status_code == 422
    assert "猫.png is no picture" in broken.json()["detail"]
    assert "/tmp" not in broken.text  # noqa: S108
    cut = send(client, image(400, 300)[:200], "cut.png")
    assert cut.status_code == 422
    assert "cut.png is truncated or damaged" in cut.json()["detail"]
    bomb = send(client, huge(), "bomb.png")
    assert bomb.status_code == 422
    assert "it was not decoded" in bomb.json()["detail"]
    text = client.post(TRY, json={"text": "hello"})
    assert text.status_code == 422
    assert "looks at pictures" in text.json()["detail"]
    assert send(client, b"").status_code == 422
    assert client.post(TRY, content=b"x").status_code == 422
    assert client.post(TRY, json={"text": ""}).status_code == 422
    assert client.post(TRY, data={"file": "x"}, files={}).status_code == 422
    large = send(client, b"x" * 21_000_000)
    assert large.status_code == 413
    chinese = client.post(
        TRY,
        files={"file": ("a.png", b"x", "image/png")},
        headers={"Accept-Language": "zh"},
    )
    assert "不是图片" in chinese.json()["detail"]


def huge():
    """A PNG whose header says 40,000 x 40,000."""
    raw = bytearray(image())
    import struct
    import zlib

    raw[16:24] = struct.pack(">II", 40_000, 40_000)
    raw[29:33] = struct.pack(">I", zlib.crc32(bytes(raw[12:29])))
    return bytes(raw)


def _one_that_does_not_answer_is_ended(client, home, pid):
    os.kill(pid, signal.SIGSTOP)
    here, both = home / "runs" / "TASK_1" / "final_model", workers(client)
    with pytest.raises(UnavailableError, match="no answer within 0 seconds"):
        both.ask(here, home, {"path": "x"}, seconds=0.2)
    assert not is_there(pid)
    assert both.pids == {}


def _masks_come_as_an_image_in_colour(client, home):
    """The task's model is another one now, in another process."""
    folder = home / "runs" / "TASK_1" / "final_model"
    save(folder, "segmentation", ["background", "circle", "square"], type="resnet",
         size="resnet18", head="mask")  # fmt: skip
    said = send(client, image(90, 60)).json()
    assert said["first"] is True
    assert (said["kind"], said["answer"]["has_mask"]) == ("segmentation", True)
    mask = Image.open(io.BytesIO(base64.b64decode(said["mask_png_base64"])))
    assert mask.format == "PNG"
    assert mask.size == (90, 60)
    assert {one["label"] for one in said["answer"]["top"]} <= {"background", "circle", "square"}


def test_one_that_dies_is_told(service, monkeypatch):
    client = service()
    monkeypatch.setattr("tandem.server.models.worker.MODULE", "tandem.nothing_here")
    refused = send(client, image())
    assert refused.status_code == 503
    assert "ended before it answered" in refused.json()["detail"]
    assert workers(client).pids == {}


def test_a_model_that_cannot_be_loaded_is_told(service, home):
    client = service()
    (home / "runs" / "TASK_1" / "final_model" / "model.safetensors").write_bytes(b"junk")
    refused = send(client, image())
    assert refused.status_code == 422
    assert "no weights file, or a broken one" in refused.json()["detail"]
    assert workers(client).pids == {}
    assert send(client, image(), at="/api/v1/models/TASK_2/try").status_code == 409
    assert send(client, image(), at="/api/v1/models/TASK_9/try").status_code == 404


class Process:
    """Stands in for a loaded model where only the number of them is asked about."""

    started = 0

    def __init__(self, model, home):
        import threading

        type(self).started += 1
        self.model, self.pid, self.is_alive = model, type(self).started, True
        self.lock, self.used_at = threading.Lock(), time.monotonic()

    def ask(self, question, seconds):
        return {"model": self.model}

    def end(self):
        self.is_alive = False


def test_two_at_most_and_idle_ones_go(tmp_path, monkeypatch, until):
    monkeypatch.setattr("tandem.server.models.workers.Worker", Process)
    both = Workers(most=2, idle_seconds=0.3)
    for name in "abac":
        both.ask(tmp_path / name, tmp_path, {})
    assert set(both.pids) == {tmp_path / "a", tmp_path / "c"}  # b was asked longest ago
    until(lambda: not both.pids)
    monkeypatch.setattr("tandem.server.models.workers.BUSY_SECONDS", 0.05)
    one = Workers(most=1)
    one.ask(tmp_path / "a", tmp_path, {})
    (busy,) = one._there.values()
    with busy.lock, pytest.raises(UnavailableError, match="all busy"):
        one.ask(tmp_path / "b", tmp_path, {})
    one.ask(tmp_path / "b", tmp_path, {})
    one.close()
    with pytest.raises(UnavailableError):
        one.ask(tmp_path / "b", tmp_path, {})
