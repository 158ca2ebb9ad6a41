"""One folder, one run: who may write into it, and whether there is something to go on from."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType

from filelock import FileLock, Timeout
from pydantic import JsonValue, ValidationError

from tandem.spec import journal
from tandem.spec.errors import OutputFolderError
from tandem.spec.run import RunSpec
from tandem.train.data import data_record
from tandem.train.engines.checkpoint import latest

SPEC = "spec.json"
# Changing these changes nothing of what is learnt, so a resume may.
FREE = {"report.api_base_url", "report.delivery_grace_seconds", "report.tensorboard"} | {
    "run.log_interval",
    "run.checkpoint_interval",
    "run.save_checkpoints",
    "data.workers",
    "cache.root",
    "cache.verify_samples",
}
# Changing these changes how it is learnt from here on, and nothing of what was learnt so far.
TUNABLE = {f"optim.{name}" for name in (
    "epochs", "batch_size", "learning_rate", "scheduler", "warmup_epochs", "warmup_steps",
    "weight_decay", "grad_accum_steps", "max_grad_norm", "early_stopping_epochs",
)} | {"run.devices", "run.processes", "teacher.batch_size"}  # fmt: skip

FORMER_DEFAULTS: dict[str, JsonValue] = {"loss.temperature": 4.0, "teacher.image_size": 224}
"""What a run has where nobody chose, and where the default is another by now."""

PARTS = ("tensorboard", "checkpoints", "teacher", "baseline", "baseline_model", "predictions")
"""Folders that a run makes on its way."""


@dataclass(frozen=True)
class SettingChange:
    """One setting that a resumed run has changed."""

    name: str
    before: JsonValue
    now: JsonValue


@dataclass(frozen=True)
class RunFolder:
    """The layout of a run's folder."""

    path: Path
    changes: tuple[SettingChange, ...] = ()
    """What this attempt is asked to do otherwise than the one before it."""

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def final_model(self) -> Path:
        return self.path / "final_model"

    @property
    def baseline_model(self) -> Path:
        """The same student without the teacher, as a folder like `final_model`."""
        return self.path / "baseline_model"

    @property
    def report(self) -> Path:
        return self.path / "report.json"

    @property
    def has_progress(self) -> bool:
        """Whether something would be lost with it. A run that failed at the door has nothing."""
        return self.final_model.exists() or latest(self.checkpoints) is not None

    def clear(self) -> None:
        """Remove what an attempt without progress has left."""
        for name in (
            journal.NAME,
            "http.cursor",
            "log.txt",
            "predictions.jsonl",
            data_record.NAME,
            SPEC,
        ):
            (self.path / name).unlink(missing_ok=True)
        for name in PARTS:
            shutil.rmtree(self.path / name, ignore_errors=True)

    def in_the_way(self) -> list[str]:
        """What there is under the names of a run's own parts."""
        names = (journal.NAME, "report.json", "final_model", "predictions.jsonl", *PARTS)
        return [name for name in names if (self.path / name).exists()]

    @property
    def finished(self) -> bool:
        """Model and report are there, and `finished` has been said to whoever listens."""
        return self.report.is_file() and self.final_model.is_dir() and self._has_said("finished")

    def _has_said(self, event_type: str) -> bool:
        file = self.path / journal.NAME
        return file.is_file() and any(line.type == event_type for line in journal.whole_lines(file))


class Claim:
    """Holds a run folder for this process while it runs (`with Claim(spec) as folder`)."""

    def __init__(self, spec: RunSpec) -> None:
        self.spec = spec
        self.folder = RunFolder(Path(spec.run.output_dir).absolute())
        self.lock = FileLock(str(self.folder.path / ".lock"))

    def __enter__(self) -> RunFolder:
        """OutputFolderError when it cannot be written, is in use, or holds another run."""
        path = self.folder.path
        _make(path)
        try:
            self.lock.acquire(blocking=False)
        except Timeout:
            raise OutputFolderError(
                "Another process is training in {path}.",
                path=path,
                fix="Wait for it, stop it, or give this run another output folder.",
            ) from None
        try:
            self._check_or_write()
        except BaseException:
            self.lock.release()
            raise
        return self.folder

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.lock.release()

    def _check_or_write(self) -> None:
        file = self.folder.path / SPEC
        if file.exists():
            changes = _changes(_read(file), _flat(self.spec))
            if not changes:
                return
            if not self.folder.has_progress:
                self.folder.clear()
            elif self.folder.finished or any(one.name not in TUNABLE for one in changes):
                raise OutputFolderError(
                    "{path} holds another run: {fields} differ.",
                    path=self.folder.path,
                    fields=", ".join(one.name for one in changes[:5]),
                    fix="Give this run another output folder, or repeat the first one's settings.",
                )
            else:
                self.folder = replace(self.folder, changes=tuple(changes))
        elif foreign := self.folder.in_the_way():
            # Whatever they are, this run would write over them or clear them away.
            raise OutputFolderError(
                "{path} holds {names}, but no {spec} that says of which run.",
                path=self.folder.path,
                names=", ".join(foreign),
                spec=SPEC,
                fix="Give this run another output folder.",
            )
        write_text(file, self.spec.model_dump_json(indent=1))


def as_begun(spec: RunSpec, begun: Path) -> tuple[RunSpec, list[str]]:
    """The spec with what the run in its folder was begun with, and the settings' names.

    `begun` is the folder's `spec.json`. A setting that has its default in the spec and its former
    default there is as it was: an interrupted run goes on as it began, whatever the default is by
    now. Without such a file the spec is as given; one that cannot be read is the folder's matter.
    """
    try:
        before = json.loads(begun.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return spec, []
    if not isinstance(before, dict):
        return spec, []
    kept: list[str] = []
    for name, former in FORMER_DEFAULTS.items():
        section, _, field = name.partition(".")
        part, known = getattr(spec, section), before.get(section)
        if part is None or not isinstance(known, dict) or known.get(field) != former:
            continue
        if getattr(part, field) == type(part).model_fields[field].default:
            spec = spec.model_copy(update={section: part.model_copy(update={field: former})})
            kept.append(name)
    return spec, kept


def write_text(file: Path, text: str) -> None:
    """Replace `file` in one move, so that no reader sees half of it."""
    hidden = file.with_name(f".{file.name}.{os.getpid()}")
    hidden.write_text(text, encoding="utf-8")
    hidden.replace(file)


def _make(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
        # Tried, not asked for: a network disk may refuse what its modes allow.
        probe = path / f".write-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        raise OutputFolderError(
            "The output folder {path} cannot be written: {reason}.",
            path=path,
            reason=(isinstance(error, OSError) and error.strerror) or error,
            fix="Name a folder you may write to.",
        ) from error


def _read(file: Path) -> dict[str, JsonValue]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    # Another program's spec.json would read as a run that differs, and be cleared away.
    if not isinstance(found, dict) or not found.keys() >= {"task_id", "data", "run"}:
        raise OutputFolderError(
            "{file} is damaged, so it cannot be told which run this folder holds.",
            file=file,
            fix="Give this run another output folder.",
        )
    try:
        # A setting that came since is as it was: a run of before was made by its default.
        return _flat(RunSpec.model_validate(found))
    except ValidationError:
        return _flatten(found)


def _flat(spec: RunSpec) -> dict[str, JsonValue]:
    return _flatten(json.loads(spec.model_dump_json()))


def _flatten(tree: JsonValue, prefix: str = "") -> dict[str, JsonValue]:
    if not isinstance(tree, dict) or prefix.startswith("loss.options."):
        return {prefix.rstrip("."): tree}
    leaves: dict[str, JsonValue] = {}
    for key, value in tree.items():
        leaves |= _flatten(value, f"{prefix}{key}.")
    return leaves


def _changes(old: dict[str, JsonValue], new: dict[str, JsonValue]) -> list[SettingChange]:
    # The folder's own address is no difference: it may have been moved, or mounted elsewhere.
    keys = sorted((old.keys() | new.keys()) - FREE - {"run.output_dir"})
    changes = [SettingChange(key, old.get(key), new.get(key)) for key in keys]
    return [one for one in changes if one.before != one.now]
