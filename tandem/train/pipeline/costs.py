"""`python -m tandem.train.pipeline.costs SPEC`: what a run would take here, as one line of JSON.

The data is read and checked as by the run itself; a few batches of its real teacher and student are
timed. Nothing is written but the data's index. Exit codes are those of a run.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from accelerate import PartialState

from tandem.spec.errors import SpecError, TandemError
from tandem.spec.i18n import t
from tandem.spec.run import RunSpec
from tandem.spec.run.costs import RunCosts
from tandem.spec.spec_file import read_spec_file
from tandem.train.engines.base import Engine, Pace, PacedEngine, ResolvedRun
from tandem.train.engines.build_student import build_student
from tandem.train.engines.context import NullReporter, Run
from tandem.train.engines.device import device_context
from tandem.train.engines.registry import find_engine
from tandem.train.engines.run_folder import RunFolder
from tandem.train.engines.stop import StopRequest
from tandem.train.pipeline.checks import check_data, check_models, check_spec
from tandem.train.pipeline.resolve import baseline_of, resolve, with_defaults
from tandem.train.pipeline.run import read


def costs_of(spec: RunSpec) -> RunCosts:
    """Measured now, in this process. What a run raises, and SpecError where it cannot be told."""
    spec = with_defaults(spec)
    with tempfile.TemporaryDirectory(prefix="tandem-costs-") as name:
        # Not the run's own folder: one that is finished, or under way, may be asked about too.
        execution = spec.run.model_copy(update={"output_dir": Path(name)})
        spec = spec.model_copy(update={"run": execution})
        context = device_context(spec.run)
        PartialState(cpu=context.device.type == "cpu")
        return _measured(Run(spec, context, RunFolder(Path(name)), NullReporter(), StopRequest()))


def _measured(run: Run) -> RunCosts:
    engine = find_engine(run.spec.student.type)
    if not isinstance(engine, PacedEngine):
        raise SpecError(
            "How long the student {student} takes cannot be told beforehand.",
            student=run.spec.student.type,
            fix="Start the run: its first epoch says how long the others will take.",
        )
    kind = engine.choose_kind(run.spec)
    check_spec(run, engine, kind)
    splits = read(run, kind)
    check_data(run, engine, kind, splits)
    resolved = resolve(run, engine, kind, splits)
    student = build_student(resolved.spec, len(splits.train.classes))
    check_models(resolved, engine, student)
    return costs(resolved, engine, engine.pace(resolved, student))


def costs(run: ResolvedRun, engine: Engine, pace: Pace) -> RunCosts:
    """What a pace comes to over a whole run."""
    spec = run.spec
    training = _steps(run, engine) * pace.step_seconds
    evaluation = _evaluation_seconds(run, pace)
    baseline = 0.0
    if spec.mode == "distillation" and spec.report.baseline:
        alone = baseline_of(run, spec.optim.epochs)
        baseline = _steps(alone, engine) * pace.step_seconds + _evaluation_seconds(alone, pace)
    return RunCosts(
        device=run.device_context.device.type,
        cache_bytes=pace.cache_bytes,
        teacher_looks=pace.teacher_looks,
        teacher_seconds=pace.teacher_seconds,
        training_seconds=training,
        evaluation_seconds=evaluation,
        baseline_seconds=baseline,
        memory_megabytes=pace.memory_megabytes,
        basis=_basis(run),
    )


def _steps(run: ResolvedRun, engine: Engine) -> int:
    return engine.steps_an_epoch(run.spec, run.samples_an_epoch) * run.spec.optim.epochs


def _evaluation_seconds(run: ResolvedRun, pace: Pace) -> float:
    return run.spec.optim.epochs * len(run.splits.val) * pace.validation_seconds


def _basis(run: ResolvedRun) -> str:
    said = [
        t(
            "A few batches of this teacher and student, timed on this machine in one process, as "
            "it is now; a run on several devices is quicker."
        )
    ]
    if run.spec.lora.rank > 0:
        said.append(t("The training of LoRA adapters is not in it."))
    if run.spec.optim.early_stopping_epochs:
        said.append(t("It may stop early."))
    return " ".join(said)


def main(argv: list[str] | None = None) -> int:
    """Print the costs of the specification in one file; the exit code of a run."""
    arguments = sys.argv[1:] if argv is None else argv
    try:
        if len(arguments) != 1:
            raise SpecError("Give one file: the specification of a run, in JSON.")
        print(
            costs_of(
                read_spec_file(Path(arguments[0]), RunSpec, top=t("its top"))
            ).model_dump_json()
        )
    except TandemError as error:
        print(error.sentence(), file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
