"""A teacher's adapters that were stopped or killed half-way end as if nothing had happened."""

import os
import signal
from pathlib import Path

import pytest
import torch

from tandem.spec.errors import StoppedError
from tandem.train.engines.stop import StopRequest
from tandem.train.engines.stoppable_progress import StoppableProgress
from tandem.train.lora import fit_checkpoint
from tandem.train.types import SilentProgress
from tests.train.lora.test_lora import adapted, shown
from tests.train.lora.test_lora import lesson as lesson

STEPS = 5  # an epoch of 18 rows, half of those with a label, 4 at a time
EACH = list(range(1, 2 * STEPS + 1))
"""The steps of one adapter: two epochs."""
FILES = (
    "half-0/adapter_model.safetensors",
    "half-1/adapter_model.safetensors",
    "tandem.json",
)


class Watcher(SilentProgress):
    """Counts the adapter's steps; at one of them something happens."""

    def __init__(self, at: int = 0, happens=lambda: None) -> None:
        self.at, self.happens, self.steps, self.notices = at, happens, [], []

    def progress(self, doing: str, done: int, total: int) -> None:
        if doing == "The teacher learns from the labels":
            self.steps.append(done)
            if len(self.steps) == self.at:
                self.happens()

    def notice(self, message: str, warning: bool = False) -> None:
        self.notices.append(message)


def fitted(lesson, path, folder, watcher=None):
    return adapted(lesson, path, folder, watcher=watcher, epochs=2, learning_rate=1e-3)


def contents(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in FILES]


def stop_by_signal(lesson, path, folder, at: int) -> None:
    """As a run is stopped: SIGTERM, noticed at the next step."""
    request, before = StopRequest(), signal.getsignal(signal.SIGTERM)
    interrupt = signal.getsignal(signal.SIGINT)
    request.listen()
    watcher = Watcher(at, lambda: os.kill(os.getpid(), signal.SIGTERM))
    try:
        with pytest.raises(StoppedError, match="The teacher learns from the labels"):
            fitted(lesson, path, folder, StoppableProgress(watcher, request))
    finally:
        signal.signal(signal.SIGTERM, before)
        signal.signal(signal.SIGINT, interrupt)
    assert watcher.steps[-1] == at


@pytest.mark.parametrize(("name", "at"), [("dinov2", 3), ("qwen2_5_vl", STEPS + 1)])
def test_a_stopped_fit_goes_on_at_its_step_and_ends_the_same(
    checkpoints, lesson, tmp_path, name, at
):
    path = checkpoints[name]
    once = fitted(lesson, path, tmp_path / "once")
    stop_by_signal(lesson, path, tmp_path / "twice", at)
    assert not (tmp_path / "twice" / "tandem.json").exists()
    watcher = Watcher()
    again = fitted(lesson, path, tmp_path / "twice", watcher)
    # The step it stopped at was done; the second adapter had not begun.
    assert watcher.steps == [*range(at + 2, 2 * STEPS + 1), *EACH]
    assert any("goes on from epoch" in one for one in watcher.notices)
    assert contents(tmp_path / "once") == contents(tmp_path / "twice")
    assert torch.equal(shown(lesson, once).logits_BK, shown(lesson, again).logits_BK)
    once_files, twice_files = (len(list((tmp_path / one).rglob("*"))) for one in ("once", "twice"))
    assert once_files == twice_files
    assert not list((tmp_path / "twice").rglob(fit_checkpoint.FILE))


def test_the_second_adapter_goes_on_with_the_first_one_done(checkpoints, lesson, tmp_path):
    path = checkpoints["siglip"]
    fitted(lesson, path, tmp_path / "once")
    killed(lesson, path, tmp_path / "twice", 3 * STEPS + 1)
    watcher = Watcher()
    fitted(lesson, path, tmp_path / "twice", watcher)
    assert watcher.steps == EACH[STEPS:]
    assert contents(tmp_path / "once") == contents(tmp_path / "twice")


class KilledError(BaseException):
    """The process is no more: nobody catches it."""


def killed(lesson, path, folder, at: int) -> None:
    def end() -> None:
        raise KilledError

    with pytest.raises(KilledError):
        fitted(lesson, path, folder, Watcher(at, end))


def test_a_killed_fit_goes_on_from_the_last_whole_epoch(checkpoints, lesson, tmp_path):
    path = checkpoints["vit"]
    fitted(lesson, path, tmp_path / "once")
    killed(lesson, path, tmp_path / "twice", STEPS + 2)
    watcher = Watcher()
    fitted(lesson, path, tmp_path / "twice", watcher)
    assert watcher.steps == [*range(STEPS + 1, 2 * STEPS + 1), *EACH]
    assert contents(tmp_path / "once") == contents(tmp_path / "twice")


def test_a_damaged_or_foreign_checkpoint_is_passed_over(checkpoints, lesson, tmp_path):
    path, folder = checkpoints["vit"], tmp_path / "twice"
    fitted(lesson, path, tmp_path / "once")
    killed(lesson, path, folder, STEPS + 2)
    file = folder / "half-0" / fit_checkpoint.FILE
    whole = file.read_bytes()
    file.write_bytes(whole[:-1000] + bytes(1000))
    watcher = Watcher()
    fitted(lesson, path, folder, watcher)
    assert any("is damaged" in one for one in watcher.notices)
    assert watcher.steps == EACH * 2
    assert contents(tmp_path / "once") == contents(folder)
    (folder / "tandem.json").unlink()
    file.write_bytes(whole)  # whole, and of a fit with another seed
    watcher = Watcher()
    adapted(lesson, path, folder, watcher=watcher, seed=1, epochs=2, learning_rate=1e-3)
    assert watcher.steps == EACH * 2
