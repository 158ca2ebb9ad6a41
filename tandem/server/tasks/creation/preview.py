"""A task before it is made: whether it may be, what it lacks, and how it is written elsewhere."""

from __future__ import annotations

from pathlib import Path

from tandem.server.context import Context
from tandem.server.errors import ForbiddenError, InvalidError
from tandem.server.host.machine import MEGABYTE, gpus
from tandem.server.tasks.creation import create, equivalents
from tandem.server.tasks.creation.estimate import Estimate, estimate
from tandem.server.tasks.creation.requirements import missing_requirements
from tandem.server.tasks.schemas import (
    FieldProblem,
    MemoryEstimate,
    MissingRequirementOut,
    Preview,
    PreviewRequest,
    Request,
    TimeEstimate,
)
from tandem.server.wire.create import flat
from tandem.spec.i18n import t
from tandem.spec.run import RunSpec

NO_ID = "TASK_00000000"


def preview(context: Context, wanted: PreviewRequest) -> Preview:
    """Made in the same way as a task, and then not kept."""
    try:
        made = _made(context, wanted)
    except InvalidError as refused:
        problems = [
            FieldProblem(field=one["field"], problem=one["problem"], fix=None)
            for one in refused.problems
        ]
        return _invalid(problems)
    except ForbiddenError as refused:  # a path outside the roots
        field = str(refused.fields.get("field") or "spec")
        problem, fix = refused.sentence(), None
        return _invalid([FieldProblem(field=field, problem=problem, fix=fix)])
    return _valid(context, wanted, made)


def _made(context: Context, wanted: PreviewRequest) -> create.Made:
    settings = context.settings.everything
    if wanted.create is not None:
        return create.from_fields(flat(wanted.create), settings, task_id=NO_ID)
    return create.from_spec(wanted.spec or {}, settings, task_id=NO_ID)


def _invalid(problems: list[FieldProblem]) -> Preview:
    reason = t("Mend the fields at fault first.")
    return Preview(
        valid=False,
        problems=problems,
        spec=None,
        changed=[],
        cli=None,
        yaml=None,
        rest=None,
        missing=[],
        memory=MemoryEstimate(megabytes=None, device="cpu", basis=reason),
        time=TimeEstimate(seconds=None, basis=reason),
        warnings=[],
    )


def _valid(context: Context, wanted: PreviewRequest, made: create.Made) -> Preview:
    settings = context.settings.everything
    spec = RunSpec.model_validate_json(made.spec)
    tree = equivalents.short(spec, settings)
    expected = estimate(context, spec)
    return Preview(
        valid=True,
        problems=[],
        spec=_without_services_own(spec),
        changed=equivalents.changed(spec, settings),
        cli=equivalents.command(tree),
        yaml=equivalents.as_yaml(tree),
        rest=Request(method="POST", path="/api/v1/tasks", body=_body(wanted, spec, tree)),
        missing=[
            MissingRequirementOut(what=one.what, path=one.path, fix=one.fix)
            for one in missing_requirements(spec, settings)
        ],
        memory=MemoryEstimate(
            megabytes=expected.megabytes, device=expected.device, basis=expected.memory_basis
        ),
        time=TimeEstimate(seconds=expected.seconds, basis=expected.time_basis),
        warnings=[*made.notes, *_tight(expected)],
    )


def _without_services_own(spec: RunSpec) -> dict[str, object]:
    tree = spec.model_dump(mode="json", exclude={"task_id": True, "run": {"output_dir"}})
    return dict(tree)


def _body(wanted: PreviewRequest, spec: RunSpec, tree: dict[str, object]) -> dict[str, object]:
    name = wanted.name or f"{Path(spec.data.dataset).name}-{spec.student.size or 'student'}"
    body: dict[str, object] = {"name": name, "spec": tree}
    if wanted.description:
        body["description"] = wanted.description
    if wanted.priority:
        body["priority"] = wanted.priority
    if wanted.start:
        body["start"] = True
    return body


def _tight(expected: Estimate) -> list[str]:
    """It may not fit, as the machine is."""
    import psutil

    most = psutil.virtual_memory().total / MEGABYTE
    if expected.device == "cuda":
        most = max((one.memory_total_megabytes for one in gpus()), default=0)
    if not most or expected.megabytes is None or expected.megabytes <= most:
        return []
    return [
        t(
            "It is expected to take {megabytes:.0f} MB, and there are {most:.0f} MB.",
            megabytes=expected.megabytes,
            most=most,
        )
    ]
