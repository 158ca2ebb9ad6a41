"""A copy of a task, with none of its results."""

from __future__ import annotations

from tandem.server.context import Context
from tandem.server.db.tables import Task
from tandem.server.host.clock import now
from tandem.server.tasks import queries, service
from tandem.server.tasks.creation.create import Made
from tandem.spec.run import RunSpec
from tandem.spec.state import State

RESULTS = frozenset(
    {
        "accuracy", "loss", "best_accuracy", "model_path", "model_url", "checkpoint_path",
        "error_message", "start_time", "end_time", "duration",
    }
)  # fmt: skip
NEW = frozenset({"id", "task_id", "task_name", "description"})
COPIED = [c.name for c in Task.__table__.columns if c.name not in RESULTS | NEW]


def clone(context: Context, task_id: str, *, name: str | None, start: bool) -> str:
    """The id of the copy; it runs by the same spec, in a folder of its own."""
    columns = [getattr(Task, column) for column in (*COPIED, "task_name", "description")]
    with context.database.read() as session:
        row = queries.one(session, task_id, columns)
        job = queries.one_with_job(session, task_id)
    if row is None or job is None:
        raise service.missing(task_id)
    at = now().replace(microsecond=0)
    fresh = {
        "status": State.PENDING, "progress": 0, "current_epoch": 0, "create_time": at,
        "update_time": at,
    }  # fmt: skip
    copied = {column: row[column] for column in COPIED} | fresh

    def make(new_id: str) -> Made:
        if job["spec"] is None:
            made = service.remade(context, dict(row), new_id)
            return Made(new_id, copied, made.spec, made.run_dir, made.notes)
        spec = RunSpec.model_validate_json(job["spec"])
        run_dir = context.settings.output_root / new_id
        run = spec.run.model_copy(update={"output_dir": run_dir})
        text = spec.model_copy(update={"task_id": new_id, "run": run}).model_dump_json()
        return Made(new_id, copied, text, str(run_dir), [])

    return service.create(
        context,
        make,
        name=name or row["task_name"],
        description=row["description"],
        priority=job["priority"] or 0,
        start=start,
    )
