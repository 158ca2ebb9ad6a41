"""Where an installed system wants its results, and what Tandem makes of it.

A run is one folder, `<output root>/<task>/`, with its model, log and checkpoints in it: that is how
it is resumed, read by the service and moved.
"""

from __future__ import annotations

from collections.abc import Mapping

from tandem.config.keys import Value
from tandem.spec.i18n import t

PARTS = {"output_logs": "log.txt", "output_checkpoints": "checkpoints/"}


def output_root(values: Mapping[str, Value]) -> Value:
    """`output.root`; where it is not said, `output.models`: models are what is looked for."""
    root, models = values["output_root"], values["output_models"]
    return models if root.origin == "default" and models.text else root


def output_notes(values: Mapping[str, Value]) -> list[str]:
    """A line for each place that is configured and that nothing is written to."""
    root = values["output_root"]
    parts = dict(PARTS)
    if values["output_models"].origin != root.origin:
        parts = {"output_models": "final_model/", **PARTS}
    return [
        t(
            "{origin} moves nothing: of each task this lies in {root}/<task>/{part}.",
            origin=values[name].origin,
            root=root.text,
            part=part,
        )
        for name, part in parts.items()
        if values[name].text
    ]
