"""The sinks of an ordinary run."""

from __future__ import annotations

from tandem.spec.run import ReportSpec
from tandem.train.sinks.base import Sink
from tandem.train.sinks.http import Http
from tandem.train.sinks.lines import LogFile
from tandem.train.sinks.stdout import stdout
from tandem.train.sinks.tensorboard import TensorBoard


def standard(spec: ReportSpec) -> list[Sink]:
    """Standard output, log.txt, and what the report section asks for.

    Raises SpecError when the service's address is none: before anything is loaded.
    """
    sinks: list[Sink] = [stdout(), LogFile()]
    if spec.tensorboard:
        sinks.append(TensorBoard())
    if spec.api_base_url:
        sinks.append(Http(spec.api_base_url, spec.delivery_grace_seconds))
    return sinks
