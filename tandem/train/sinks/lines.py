"""Events as single lines: for people who read a log, a pipe or a narrow terminal."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from tandem.spec.event import (
    Artifact,
    Checkpoint,
    Epoch,
    Evaluation,
    Event,
    Failed,
    Finished,
    Notice,
    Started,
    Stopped,
)
from tandem.spec.i18n import joined, t
from tandem.spec.report import means_note
from tandem.train.sinks.base import Sink

if TYPE_CHECKING:
    from tandem.train.types import ProgressReporter

PROGRESS_SECONDS = 10.0


def sentence(event: Event) -> str | None:
    """One line about the event in the reader's language; None: not worth a line."""
    match event:
        case Started():
            return _started(event)
        case Epoch():
            return _epoch(event)
        case Evaluation():
            return _evaluation(event)
        case Notice():
            return (
                t("Warning: {message}", message=event.message) if _warns(event) else event.message
            )
        case Artifact():
            return t("{name} is in {path}", name=event.name, path=event.path)
        case Finished():
            return t("Finished after {duration}.", duration=duration(event.seconds))
        case Failed():
            return t("Failed: {message}", message=event.message)
        case Stopped(checkpoint=str(path)):
            return t("Stopped in epoch {epoch}; saved {path}", epoch=event.epoch, path=path)
        case Stopped():
            return t("Stopped in epoch {epoch}.", epoch=event.epoch)
        case Checkpoint(best=True):
            return t("Best so far: saved {path}", path=event.path)
        case _:
            return None


def _warns(event: Notice) -> bool:
    return event.level == "warning"


def _started(event: Started) -> str:
    line = t(
        "Task {task}: {epochs} epochs on {device}, processes: {processes}",
        task=event.task_id,
        epochs=event.total_epochs,
        device=event.device,
        processes=event.processes,
    )
    if event.resumed_from_epoch is None:
        return line
    return f"{line}; " + t("going on after epoch {epoch}", epoch=event.resumed_from_epoch)


def _epoch(event: Epoch) -> str:
    terms = ", ".join(f"{name} {four_digits(value)}" for name, value in event.terms.items())
    parts = [
        t("Epoch {epoch}/{total}", epoch=event.epoch, total=event.total_epochs),
        t("loss {loss}", loss=four_digits(event.train_loss)) + (f" ({terms})" if terms else ""),
    ]
    if event.val_accuracy is not None:
        figures = {"figure": t(event.figure), "accuracy": percent(event.val_accuracy)}
        parts.append(t("val {figure} {accuracy}", **figures))
    parts.append(t("rate {rate}", rate=f"{event.learning_rate:.2g}"))
    parts.append(t("{speed} samples/s", speed=f"{event.images_per_second:.0f}"))
    parts.append(duration(event.seconds))
    return "  ".join(parts)


def _evaluation(event: Evaluation) -> str | None:
    if event.epoch is not None:  # the epoch's own line has said it
        return None
    who = {
        "teacher": t("Teacher"),
        "student": t("Student"),
        "baseline": t("Student without the teacher"),
        "export": t("Exported model"),
    }[event.who]
    figures = t(", ").join(
        f"{t(name)} {four_digits(value)}" for name, value in event.metrics.items()
    )
    line = t(
        "{who} on {samples} samples of {dataset}: {figures}",
        who=who,
        samples=event.samples,
        dataset=event.dataset,
        figures=figures,
    )
    note = means_note(event.details)
    return line if note is None else joined([f"{line}.", note])


def four_digits(value: float) -> str:
    """Four significant digits."""
    return f"{value:.4g}"


def percent(ratio: float) -> str:
    return f"{100 * ratio:.1f} %"


def duration(seconds: float) -> str:
    """3.2 s, 4 min 05 s, 2 h 03 min."""
    if seconds < 60:
        return t("{seconds:.1f} s", seconds=seconds)
    minutes, rest_seconds = divmod(round(seconds), 60)
    if minutes < 60:
        return t("{minutes} min {seconds:02d} s", minutes=minutes, seconds=rest_seconds)
    return t("{hours} h {minutes:02d} min", hours=minutes // 60, minutes=minutes % 60)


class Lines(Sink):
    """Plain lines into a text stream; a long part says where it is every ten seconds."""

    def __init__(self, stream: TextIO, *, stamped: bool = False) -> None:
        self._stream = stream
        self._stamped = stamped
        self._deaf = False
        self._doing = ""
        self._began = self._said = 0.0
        self._began_at = 0

    def receive(self, event: Event) -> None:
        line = sentence(event)
        if line is not None:
            self.write(line)

    def progress(self, doing: str, done: int, total: int) -> None:
        now = time.monotonic()
        if doing != self._doing:
            self._doing, self._began, self._said, self._began_at = doing, now, now, done
            return
        if now - self._said < PROGRESS_SECONDS:
            return
        self._said = now
        rate = (done - self._began_at) / (now - self._began)
        self.write(
            t(
                "{doing}: {done} of {total}, {rate}/s, {left} left",
                doing=doing,
                done=done,
                total=total,
                rate=four_digits(rate),
                left=duration((total - done) / rate) if rate > 0 else "?",
            )
        )

    def write(self, line: str) -> None:
        """A reader that went away (a closed pipe, a full disk) must not end the training."""
        if self._deaf:
            return
        stamp = f"{datetime.now():%Y-%m-%d %H:%M:%S} " if self._stamped else ""
        try:
            print(writable(stamp + line, self._stream), file=self._stream, flush=True)
        except (OSError, ValueError):  # ValueError: the stream is closed
            self._deaf = True


def writable(text: str, stream: TextIO) -> str:
    """With what the stream's encoding cannot say (Chinese in an ASCII locale) spelled out."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


class LogFile(Lines):
    """`log.txt` in the run folder: the same lines, with the time before each."""

    def __init__(self) -> None:  # the stream is opened with the run folder
        pass

    def open(self, run_dir: Path, progress: ProgressReporter) -> None:  # noqa: ARG002
        super().__init__((run_dir / "log.txt").open("a", encoding="utf-8"), stamped=True)

    def close(self) -> None:
        self._stream.close()
