"""`tandem train`, `tandem distill` and the two entry scripts: arguments to a run."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tandem.commands.guard import guarded
from tandem.commands.runs import flags
from tandem.commands.terminal import print_status
from tandem.config.files import read_tree
from tandem.config.fill import fill
from tandem.config.hub import use_hub
from tandem.config.settings import Settings, load
from tandem.spec.errors import OutputFolderError
from tandem.spec.i18n import t
from tandem.spec.run import RunSpec
from tandem.spec.run.legacy import FLAGS, SCRIPT_DEFAULTS, TEXT_SCRIPT_DEFAULTS, from_rest, is_rest

_DAY_SECONDS = 86_400


def train(arguments: Sequence[str]) -> int:
    """A spec file, flags, or both; flags win. Returns the run's exit code."""
    given = flags.parse_arguments(arguments)
    if given.help or not arguments:
        print(t("Usage: tandem train [SPEC.yaml] [--flag value …] [--set section.field=value …]"))
        print(flags.describe({}, required=False))
        return 0
    if given.spec is not None:
        tree = read_tree(given.spec)
        flags.add_file(given, from_rest(tree) if is_rest(tree) else tree)
    needed = [flag for flag in FLAGS if flag.name == "dataset_id"]
    flags.require(given, needed)
    return _start(given)


def distill(arguments: Sequence[str], defaults: Mapping[str, str] = SCRIPT_DEFAULTS) -> int:
    """The flags of the contract, all required ones present. Returns the run's exit code."""
    given = flags.parse_arguments(arguments, defaults)
    if given.help:
        print(t("Usage: {program} --flag value …", program=Path(sys.argv[0]).name))
        print(flags.describe(defaults, required=True))
        return 0
    if given.spec is not None:
        flags.add_file(given, read_tree(given.spec))
    flags.require(given, [flag for flag in FLAGS if flag.required])
    return _start(given)


def _start(given: flags.ParsedArguments) -> int:
    settings = load()
    spec, notes = fill(given.tree, given.names, settings)
    for note in (*settings.notes, *notes):
        print_status(note)
    return tell_costs(spec, settings) if given.dry_run else run(spec, settings)


def tell_costs(spec: RunSpec, settings: Settings) -> int:
    """Measure what the run would take and print it; nothing is trained."""
    use_hub(settings)
    from tandem.commands.runs.costs import lines
    from tandem.train.pipeline.costs import costs_of

    for line in lines(costs_of(spec)):
        print(line)
    return 0


def run(spec: RunSpec, settings: Settings) -> int:
    """Train in this process, so that a signal to it reaches the trainer. Returns its exit code.

    The spec travels as a file of its own: the output folder is the trainer's to claim.
    """
    use_hub(settings)
    file = _write(spec, settings.home / "tmp")
    from tandem.train.__main__ import main

    try:
        return main([str(file)])
    finally:
        file.unlink(missing_ok=True)


def _write(spec: RunSpec, folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("spec-*.json"):  # of runs that were killed
            if time.time() - old.stat().st_mtime > 7 * _DAY_SECONDS:
                old.unlink(missing_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=folder, prefix="spec-", suffix=".json", delete=False
        ) as file:
            file.write(spec.model_dump_json(indent=1))
    except OSError as error:
        raise OutputFolderError(
            "{folder} cannot be written: {reason}.",
            folder=folder,
            reason=error.strerror or error,
            fix="Set TANDEM_HOME to a folder you may write to.",
        ) from error
    return Path(file.name)


def qwen_vl_script() -> int:
    """`train_qwen_vl_distillation.py`."""
    return guarded(lambda: distill(sys.argv[1:]))


def distillation_script() -> int:
    """`train_distillation.py`: other defaults."""
    return guarded(lambda: distill(sys.argv[1:], TEXT_SCRIPT_DEFAULTS))
