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


def judge(run: EndedRun) -> RunVerdict:
    """The move to make. Nothing that a person asked for, and no word of the run, is overruled."""
    if run.status != State.RUNNING:
        return RunVerdict("close", _outcome(run), run.failure_class)
    # Before what was wanted of it: a run that came to its end as the stop reached it has ended.
    if run.outcome == "finished":
        return RunVerdict("completed", "finished")
    if run.outcome == "failed" and run.failure_class not in (None, "lost"):
        # The rows have it from the journal; a state that forbade it then may allow it now.
        message = run.last_words or t("The run failed.")
        return RunVerdict("failed", "failed", run.failure_class, message)
    if run.wanted == "pause":
        return RunVerdict("paused", "stopped")
    if run.wanted is not None:
        return RunVerdict("stopped", "stopped")
    if not run.has_run:
        message = t("It was not started: the server ended at that moment.")
        return RunVerdict("resume", "not_started", "lost", message, counts=False)
    if run.outcome is None and run.silent_seconds is None:
        if run.exit_code == USER_CODE:
            message = run.last_words or t("The run ended with exit code {code}.", code=USER_CODE)
            return RunVerdict("failed", "failed", "user_input", message)
        # The report is written last: the model is whole, and only the event that says so is lost.
        if run.exit_code == 0 and run.has_model:
            return RunVerdict("completed", "finished")
        if run.disk_is_full and run.exit_code in (1, None):  # there was no room for the code
            message = t("The disk of the run's folder is full.")
            return RunVerdict("failed", "failed", "disk", message)
    return _again(run)


def _again(run: EndedRun) -> RunVerdict:
    """Lost or preempted: once more from the last checkpoint, but not for ever."""
    # It says that it was stopped, and nobody here has asked: a machine going down, or a scheduler
    # beyond this one.
    preempted = run.outcome == "stopped" or (
        run.outcome is None and run.exit_code == PREEMPTED_CODE
    )
    outcome = "preempted" if preempted else "lost"
    message = _why(run, preempted)
    if run.resumes < run.max_resumes:
        return RunVerdict("resume", outcome, outcome, message)
    if run.resumes:
        message += " " + t(
            "It was started again by itself {times} times already.", times=run.resumes
        )
    return RunVerdict("failed", outcome, outcome, message)


def _why(run: EndedRun, preempted: bool) -> str:
    if preempted:
        return t("The run was stopped by something outside Tandem.")
    if run.silent_seconds is not None:
        return t(
            "The run gave no sign for {seconds:.0f} s and was ended.", seconds=run.silent_seconds
        )
    code = run.exit_code
    # -9 of a child of ours, 137 where a shell stood in between.
    if code in (KILLED, 128 - KILLED):
        return t(
            "The run was killed, probably for memory: lower the batch size, or run fewer at once."
        )
    tail = f" {run.last_words}" if run.last_words else ""
    if code is not None and code < 0:
        return t("The run was ended by signal {number}.", number=-code) + tail
    if run.outcome == "failed":
        return t("The run lost a part of itself.") + tail
    if code is not None:
        return t("The run ended with exit code {code}, without a reason.", code=code) + tail
    return t("The run is gone: it did not say why, and its machine may have crashed.") + tail


def _outcome(run: EndedRun) -> str:
    """How an attempt ended whose task has moved on already."""
    if run.outcome in ("finished", "failed", "stopped"):
        return run.outcome
    return "stopped" if run.exit_code is not None or run.wanted else "lost"
