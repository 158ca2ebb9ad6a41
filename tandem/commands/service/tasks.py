"""`tandem tasks`, `tandem model`: what the service has, and what may go."""

from __future__ import annotations

from pathlib import Path

from tandem.client.connect import connect
from tandem.client.responses import Collected, Task
from tandem.commands.terminal import print_json, print_status, print_table
from tandem.spec.errors import OutputFolderError, SpecError
from tandem.spec.i18n import t
from tandem.spec.state import State


def list_all(
    status: str | None, keyword: str | None, limit: int, as_json: bool, server: str | None
) -> int:
    """The newest tasks, one a line."""
    wanted = _status(status)
    with connect(server) as client:
        found = client.tasks(status=wanted, keyword=keyword, limit=limit)
    if as_json:
        print_json([task.model_dump() for task in found])
        return 0
    if not found:
        print(t("There are no such tasks.") if wanted or keyword else t("There are no tasks yet."))
        return 0
    heads = ["id", "name", "state", "done", "epoch", "best accuracy", "waits for"]
    print_table("", heads, [_row(task) for task in found])
    return 0


def _status(written: str | None) -> str | None:
    if written is None:
        return None
    if written.upper() not in State.__members__:
        raise SpecError(
            "There is no state {state}.", state=written, allowed=[one.lower() for one in State]
        )
    return written.upper()


def _row(task: Task) -> list[str]:
    best = task.best_accuracy if task.best_accuracy is not None else task.accuracy
    waits = task.waiting_reason or ""
    if task.queue_position is not None:
        waits = f"{task.queue_position}. {waits}".strip()
    return [
        task.task_id,
        task.name,
        state_word(task.status),
        f"{task.progress or 0} %",
        f"{task.current_epoch or 0}/{task.total_epochs or '?'}",
        "-" if best is None else f"{best:.1f} %",
        waits,
    ]


def state_word(status: str) -> str:
    """A state as people call it."""
    match status:
        case State.PENDING:
            return t("not started")
        case State.QUEUED:
            return t("waiting")
        case State.RUNNING:
            return t("running")
        case State.PAUSED:
            return t("paused")
        case State.COMPLETED:
            return t("finished")
        case State.FAILED:
            return t("failed")
        case State.STOPPED:
            return t("stopped")
        case _:
            return status


def show(task_id: str, as_json: bool, server: str | None) -> int:
    """One task, a line for each thing known of it."""
    with connect(server) as client:
        task = client.task(task_id)
    if as_json:
        print_json(task.model_dump())
        return 0
    lines = [
        (t("name"), task.name),
        (t("note"), task.description),
        (t("state"), state_word(task.status)),
        (t("waits for"), task.waiting_reason),
        (t("place in the queue"), task.queue_position),
        (t("at work on"), task.doing if task.status == State.RUNNING else None),
        (t("epoch"), f"{task.current_epoch or 0}/{task.total_epochs or '?'}"),
        (t("accuracy"), _percent(task.accuracy)),
        (t("best accuracy"), _percent(task.best_accuracy)),
        (t("loss"), task.loss),
        (t("teacher"), task.teacher_model),
        (t("student"), task.student_model),
        (t("data set"), task.dataset),
        (t("attempts"), task.attempts),
        (t("failure"), task.error_message),
        (t("advice"), task.advice),
        (t("folder"), task.run_dir),
        (t("model"), task.model_path),
    ]
    print_table(task.task_id, ["", ""], [[a, b] for a, b in lines if b not in (None, "")])
    return 0


def _percent(value: float | None) -> str | None:
    return None if value is None else f"{value:.1f} %"


def remove(task_id: str, files: bool, server: str | None) -> int:
    """Take it off the list; with `files`, its folder too."""
    with connect(server) as client:
        client.remove(task_id, files=files)
    print_status(t("{task} is deleted.", task=task_id))
    return 0


def move(task_id: str, to: int, server: str | None) -> int:
    """Another place in the queue."""
    with connect(server) as client:
        client.move(task_id, to)
        now = client.task(task_id)
    if now.queue_position is not None:
        print_status(t("{task} is number {place} now.", task=task_id, place=now.queue_position))
    return 0


def collect(
    yes: bool,
    keep_every: int | None,
    older_than_days: float | None,
    as_json: bool,
    server: str | None,
) -> int:
    """Old runs' checkpoints: shown first, deleted with `yes`."""
    with connect(server) as client:
        found = client.collect(
            dry_run=not yes, keep_every=keep_every, older_than_days=older_than_days
        )
    if as_json:
        print_json({**found.model_dump(), "deleted": yes})
    else:
        _print_collected(found, yes)
    return 0


def _print_collected(found: Collected, deleted: bool) -> None:
    if not found.items:
        print(t("Nothing to delete."))
        return
    heads = ["task", "MB", "why", "path"]
    rows = [[one.task_id, _megabytes(one.size_bytes), one.why, one.path] for one in found.items]
    print_table("", heads, rows)
    size = _megabytes(found.total_bytes)
    if deleted:
        print(t("{megabytes} MB are free again.", megabytes=size))
    else:
        print(t("{megabytes} MB would go; --yes deletes them.", megabytes=size))


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f}"


def download(task_id: str, file: Path, server: str | None) -> int:
    """The trained model, as a ZIP."""
    target = file.expanduser().absolute()
    if target.is_dir():
        target = target / f"{task_id}.zip"
    try:
        with connect(server) as client:
            size_bytes = client.model(task_id, target)
    except OSError as error:
        raise OutputFolderError(
            "{path} cannot be written: {reason}.",
            path=target,
            reason=error.strerror or error,
            fix="Name a file in a folder you may write to.",
        ) from error
    print_status(t("Wrote {path}, {megabytes} MB.", path=target, megabytes=_megabytes(size_bytes)))
    return 0
