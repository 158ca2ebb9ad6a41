"""The sinks of an ordinary run, and the emitter over them."""

from __future__ import annotations

from pathlib import Path

from tandem.spec.run import ReportSpec, RunSpec
from tandem.train.sinks.base import Sink
from tandem.train.sinks.emitter import Emitter
from tandem.train.sinks.http import Http
from tandem.train.sinks.lines import LogFile
from tandem.train.sinks.stdout import stdout
from tandem.train.sinks.tensorboard import TensorBoard


def open_emitter(spec: RunSpec, run_dir: Path) -> Emitter:
    """The emitter of the first process, once it has the folder; close it at the end.

    Raises SpecError when the service's address is none.
    """
    return Emitter(run_dir, spec.task_id, sinks(spec.report))


def sinks(spec: ReportSpec) -> list[Sink]:
    """Standard output, log.txt, and what the report section asks for."""
    chosen: list[Sink] = [stdout(), LogFile()]
    if spec.tensorboard:
        chosen.append(TensorBoard())
    if spec.api_base_url:
        chosen.append(Http(spec.api_base_url, spec.delivery_grace_seconds))
    return chosen
