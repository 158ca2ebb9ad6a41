"""`python -m tandem.train SPEC`: read the spec, run it, end with the exit code of the contract.

0 trained and saved; 2 the arguments or the data are wrong; 75 stopped on request, resumable; 1
anything else. With several devices this process starts torchrun and answers with its outcome.
"""

from __future__ import annotations

import json
import os
import re
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from tandem.spec.errors import (
    LostPeerError,
    OutOfMemoryError,
    SpecError,
    StoppedError,
    TandemError,
)
from tandem.spec.i18n import t
from tandem.spec.os_errors import known_error
from tandem.spec.run import RunSpec
from tandem.spec.spec_file import read_spec_file
from tandem.train.engines.stop import StoppedEarlyError, StopRequest

if TYPE_CHECKING:
    from tandem.train.engines.context import Run
    from tandem.train.engines.device import DeviceContext
    from tandem.train.engines.run_folder import RunFolder
    from tandem.train.sinks.emitter import Emitter


def main(argv: list[str] | None = None) -> int:
    """The exit code of one execution."""
    arguments = sys.argv[1:] if argv is None else argv
    stop = StopRequest()
    stop.listen()
    try:
        if len(arguments) != 1:
            raise SpecError("Give one file: the specification of a run, in JSON.")
        spec = read_spec(Path(arguments[0]))
        from tandem.train.engines.visible_gpus import see_only

        see_only(spec.run.devices, os.environ)
        if "RANK" not in os.environ:
            from tandem.train.engines.device import wanted_processes
            from tandem.train.pipeline.launch import launch

            processes = wanted_processes(spec.run)
            if processes > 1:
                return launch(arguments[0], processes, stop)
        return _run(spec, stop)
    except TandemError as error:
        return _answer(error)
    except KeyboardInterrupt:  # a second one, before or after the run itself
        return 130


def read_spec(path: Path) -> RunSpec:
    """The RunSpec in a JSON file; SpecError when it is none."""
    return read_spec_file(path, RunSpec, top=t("its top"))


def _run(spec: RunSpec, stop: StopRequest) -> int:
    from tandem.train.engines.context import NullReporter, Run
    from tandem.train.engines.device import device_context
    from tandem.train.engines.run_folder import SPEC, Claim, RunFolder, as_begun

    context = device_context(spec.run)
    spec, kept = as_begun(spec, Path(spec.run.output_dir).absolute() / SPEC)
    if not context.first:
        folder = RunFolder(Path(spec.run.output_dir).absolute())
        return _run_other(Run(spec, context, folder, NullReporter(), stop))
    with Claim(spec) as folder:
        if folder.finished:
            print(t("This run is finished; its model is in {path}.", path=folder.final_model))
            return 0
        if kept:
            names = ", ".join(kept)
            print(t("The run goes on by the defaults it was begun with: {names}.", names=names))
        return _run_first(spec, context, folder, stop)


def _run_other(run: Run) -> int:
    from tandem.train.pipeline.run import execute

    try:
        execute(run)
    except StoppedEarlyError:
        raise
    except StoppedError:
        _wait_for_the_first()
        raise
    return 0


def _wait_for_the_first() -> None:
    """torchrun kills the others 30 s after the first one to end; the first may need longer."""
    import torch

    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.barrier()


def _run_first(spec: RunSpec, context: DeviceContext, folder: RunFolder, stop: StopRequest) -> int:
    """The process that owns the folder and reports."""
    from tandem.train.engines.context import Run
    from tandem.train.pipeline.run import execute
    from tandem.train.sinks.assemble import open_emitter

    emitter = open_emitter(spec, folder.path)
    try:
        execute(Run(spec, context, folder, emitter, stop))
        _leave_outcome(0)
        return 0
    except KeyboardInterrupt:
        emitter.emit("failed", failure_class="stopped", message=t("Interrupted."))
        return 130
    except Exception as error:  # noqa: BLE001  the trainer's boundary: each failure has a class
        known = named(error)
        if known is None:
            traceback.print_exc()
            text = f"{type(error).__name__}: {error}"
            emitter.emit("failed", failure_class="code", message=text)
            return 1
        _report_end(emitter, folder, known)
        emitter.close()
        if isinstance(known, StoppedError) and not isinstance(known, StoppedEarlyError):
            _wait_for_the_first()
        return _answer(known)
    finally:
        emitter.close()


def named(error: Exception) -> TandemError | None:
    """The error as one of ours, where its kind says what to do about it."""
    from tandem.train.engines.device import is_out_of_memory

    if (known := known_error(error)) is not None:
        return known
    if is_out_of_memory(error):
        return OutOfMemoryError(
            "Out of memory: {reason}.",
            reason=(str(error).splitlines() or ["-"])[0],
            fix="Lower teacher.batch_size, choose a smaller teacher.precision, or close others.",
        )
    if is_lost_peer(error):
        return LostPeerError(
            "Another process of this run has died: {reason}.",
            reason=(str(error).splitlines() or ["-"])[0],
        )
    return None


# As gloo and NCCL say it; an error of another kind never counts, whatever its words.
_PEER_GONE = re.compile(
    r"connection (was )?(closed by|reset by) (remote )?peer|connection reset|broken pipe"
    r"|remote process exited|socket closed|NCCL .*(remote|abort)|failed to recv",
    re.IGNORECASE,
)


def is_lost_peer(error: Exception) -> bool:
    """Whether a collective operation failed because the process at its other end is gone."""
    if type(error).__name__ in {"DistBackendError", "DistNetworkError"}:
        return True
    of_gloo = isinstance(error, RuntimeError) and not isinstance(error, OSError)
    return (
        of_gloo and os.environ.get("WORLD_SIZE", "1") != "1" and bool(_PEER_GONE.search(str(error)))
    )


def _report_end(emitter: Emitter, folder: RunFolder, error: TandemError) -> None:
    from tandem.train.engines import checkpoint

    if isinstance(error, StoppedError):
        last = checkpoint.latest(folder.checkpoints)
        position = checkpoint.load(last).position if last else checkpoint.TrainingPosition()
        emitter.emit(
            "stopped",
            epoch=position.epoch,
            step=position.global_step,
            checkpoint=str(last) if last else None,
        )
    else:
        emitter.emit("failed", failure_class=error.failure_class, message=error.sentence())


def _answer(error: TandemError) -> int:
    """Say it in one line: here, or under torchrun in the file that the launcher reads."""
    next_micro = error.fields.get("next_micro", 0)
    if not _leave_outcome(error.exit_code, error.sentence(), next_micro):
        print(error.sentence(), file=sys.stderr)
    return error.exit_code


def _leave_outcome(code: int, sentence: str = "", next_micro: object = 0) -> bool:
    file = os.environ.get("TANDEM_OUTCOME_FILE")
    if not file:
        return False
    # Another process may fail first, of the same cause: whoever comes first is heard.
    if not Path(file).exists():
        outcome = {"code": code, "sentence": sentence, "next_micro": next_micro}
        Path(file).write_text(json.dumps(outcome), encoding="utf-8")
    return True


if __name__ == "__main__":
    sys.exit(main())
