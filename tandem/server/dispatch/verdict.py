"""What becomes of a task whose process has ended: a pure function of all that is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tandem.server.tasks.advice import KILLED
from tandem.spec.i18n import t
from tandem.spec.state import State

PREEMPTED_CODE = 75
USER_CODE = 2


@dataclass(frozen=True)
class EndedRun:
    """What is known of an execution that is no more."""

    status: str
    """The task's, after its journal was read to the end."""
    outcome: str | None
    """What the attempt said last of itself."""
    failure_class: str | None
    exit_code: int | None
    wanted: str | None
    resumes: int
    max_resumes: int
    silent_seconds: float | None = None
    """It was killed after so long without a sign."""
    has_run: bool = True
    """False: its launch never came to pass."""
    has_model: bool = False
    last_words: str = ""
    """The end of its stderr."""
    disk_is_full: bool = False
    """The disk of its folder: then it could not even say so."""


@dataclass(frozen=True)
class RunVerdict:
    """`close`: the state is right already, only the process's row is closed."""

    to: Literal["close", "completed", "stopped", "paused", "resume", "failed"]
    outcome: str
    """How the attempt ended: finished, failed, stopped, lost, preempted, not_started."""
    failure_class: str | None = None
    message: str = ""
    counts: bool = True
    """Whether a resume counts towards the most that are allowed."""


def judge(known: EndedRun) -> RunVerdict:
    """The move to make. Nothing that a person asked for, and no word of the run, is overruled."""
    if known.status != State.RUNNING:
        return RunVerdict("close", _outcome(known), known.failure_class)
    if known.outcome == "finished":
        return RunVerdict("completed", "finished")
    if known.outcome == "failed" and known.failure_class not in (None, "lost"):
        # The rows have it from the journal; a state that forbade it then may allow it now.
        said = known.last_words or t("The run failed.")
        return RunVerdict("failed", "failed", known.failure_class, said)
    if known.wanted == "pause":
        return RunVerdict("paused", "stopped")
    if known.wanted is not None:
        return RunVerdict("stopped", "stopped")
    if not known.has_run:
        said = t("It was not started: the server ended at that moment.")
        return RunVerdict("resume", "not_started", "lost", said, counts=False)
    if known.outcome is None and known.silent_seconds is None:
        if known.exit_code == USER_CODE:
            said = known.last_words or t("The run ended with exit code {code}.", code=USER_CODE)
            return RunVerdict("failed", "failed", "user_input", said)
        if known.exit_code == 0 and known.has_model:
            return RunVerdict("completed", "finished")
        if known.disk_is_full and known.exit_code in (1, None):  # there was no room for the code
            said = t("The disk of the run's folder is full.")
            return RunVerdict("failed", "failed", "disk", said)
    return _again(known)


def _again(known: EndedRun) -> RunVerdict:
    """Lost or preempted: once more from the last checkpoint, but not for ever."""
    preempted = known.outcome == "stopped" or (
        known.outcome is None and known.exit_code == PREEMPTED_CODE
    )
    outcome = "preempted" if preempted else "lost"
    message = _why(known, preempted)
    if known.resumes < known.max_resumes:
        return RunVerdict("resume", outcome, outcome, message)
    if known.resumes:
        message += " " + t(
            "It was started again by itself {times} times already.", times=known.resumes
        )
    return RunVerdict("failed", outcome, outcome, message)


def _why(known: EndedRun, preempted: bool) -> str:
    if preempted:
        return t("The run was stopped by something outside Tandem.")
    if known.silent_seconds is not None:
        return t(
            "The run gave no sign for {seconds:.0f} s and was ended.", seconds=known.silent_seconds
        )
    code = known.exit_code
    if code in (KILLED, 128 - KILLED):
        return t(
            "The run was killed, probably for memory: lower the batch size, or run fewer at once."
        )
    tail = f" {known.last_words}" if known.last_words else ""
    if code is not None and code < 0:
        return t("The run was ended by signal {number}.", number=-code) + tail
    if known.outcome == "failed":
        return t("The run lost a part of itself.") + tail
    if code is not None:
        return t("The run ended with exit code {code}, without a reason.", code=code) + tail
    return t("The run is gone: it did not say why, and its machine may have crashed.") + tail


def _outcome(known: EndedRun) -> str:
    """How an attempt ended whose task has moved on already."""
    if known.outcome in ("finished", "failed", "stopped"):
        return known.outcome
    return "stopped" if known.exit_code is not None or known.wanted else "lost"
