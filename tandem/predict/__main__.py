"""`python -m tandem.predict JOB.json`: run one annotation job, or go on with it.

0 finished (items that failed are listed); 2 the job, its model or its data are wrong; 75 stopped
on request, resumable; 1 anything else.
"""

from __future__ import annotations

import sys
import traceback
from pathlib import Path

from filelock import FileLock, Timeout

from tandem.predict.annotation.runner import AnnotationRun, ProgressListener
from tandem.spec.annotation import AnnotationSpec, read
from tandem.spec.errors import OutputFolderError, SpecError, StoppedError, TandemError
from tandem.train.__main__ import named
from tandem.train.engines.stop import StopRequest
from tandem.train.sinks.emitter import Emitter


def main(argv: list[str] | None = None) -> int:
    """The exit code of one execution."""
    arguments = sys.argv[1:] if argv is None else argv
    stop = StopRequest()
    stop.listen()
    try:
        if len(arguments) != 1:
            raise SpecError("Give one file: the specification of a job, in JSON.")
        return execute(read(Path(arguments[0])), stop)
    except TandemError as error:
        print(error.sentence(), file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130


def execute(
    spec: AnnotationSpec, stop: StopRequest, listener: ProgressListener | None = None
) -> int:
    """One job in its folder, which is this process's alone for so long."""
    for folder in (spec.run_dir, spec.output):
        _make(folder)
    lock = FileLock(str(spec.run_dir / ".lock"))
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise OutputFolderError(
            "Another process is at work on the job in {path}.",
            path=spec.run_dir,
            fix="Wait for it, or stop it.",
        ) from None
    emitter = Emitter(spec.run_dir, spec.task_id)
    try:
        AnnotationRun(spec, emitter, lambda: stop.asked, listener).run()
        return 0
    except KeyboardInterrupt:
        emitter.emit("failed", failure_class="stopped", message="Interrupted.")
        return 130
    except Exception as error:  # noqa: BLE001  the job's boundary: each failure has a class
        known = named(error)
        if known is None:
            traceback.print_exc()
            emitter.emit("failed", failure_class="code", message=f"{type(error).__name__}: {error}")
            return 1
        if isinstance(known, StoppedError):
            emitter.emit("stopped", epoch=0, step=0, checkpoint=None)
        else:
            emitter.emit("failed", failure_class=known.failure_class, message=known.sentence())
        print(known.sentence(), file=sys.stderr)
        return known.exit_code
    finally:
        emitter.close()
        lock.release()


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputFolderError(
            "The output folder {path} cannot be written: {reason}.",
            path=folder,
            reason=error.strerror or error,
            fix="Name a folder you may write to.",
        ) from error


if __name__ == "__main__":
    sys.exit(main())
