"""`final_model/`: a trained student in one folder that needs no other file."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from tandem._version import __version__
from tandem.spec.errors import SpecError, StudentError
from tandem.spec.i18n import t
from tandem.spec.measured import finite
from tandem.spec.model import ModelConfig
from tandem.spec.os_errors import writing
from tandem.spec.run import RunSpec
from tandem.train.pretrained.adapters import Adapter
from tandem.train.registry import find
from tandem.train.types import Student

WEIGHTS, CONFIG, METRICS, CARD = "model.safetensors", "config.json", "metrics.json", "README.md"
ADAPTER, RANGES = "adapter", "input_ranges.json"
FACTS = ("patch_size", "stem")
LARGEST_CONFIG_BYTES = 100_000_000


def ranges_file(ranges: Mapping[str, tuple[float, float]]) -> dict[str, str]:
    """What lies beside the weights of a student that learnt with int8's rounding: the range of
    each layer's inputs. Nothing of any other."""
    return {RANGES: json.dumps(ranges, indent=1)} if ranges else {}


def read_ranges(folder: Path) -> dict[str, tuple[float, float]]:
    """The ranges that lie in a final_model folder. StudentError for a file that holds none."""
    file = folder / RANGES
    if not file.is_file():
        return {}
    try:
        return TypeAdapter(dict[str, tuple[float, float]]).validate_json(file.read_bytes())
    except ValidationError as error:
        raise StudentError(
            "{file} does not hold the ranges of a student's inputs.",
            file=file,
            fix="Delete it: an export then finds them on pictures.",
        ) from error


def save(
    student: Student,
    folder: Path,
    *,
    spec: RunSpec,
    classes: Sequence[str],
    metrics: Mapping[str, float],
    card: str,
    temperature: float = 1.0,
    thresholds: Mapping[str, float] | None = None,
    files: Mapping[str, str] | None = None,
    adapter: Adapter | None = None,
) -> Path:
    """Write all of it into a hidden folder, then move it to `folder`, replacing what was there.

    `spec.student.type` must be resolved. `files` are texts that lie beside the weights, `adapter`
    what was merged into them. A DiskFullError leaves the old folder as it was.
    """
    config = ModelConfig(
        tandem_version=__version__,
        kind=spec.kind or "classification",
        # Whoever loads it builds the student anew and fills it: no file but these is asked for.
        student=spec.student.model_copy(update={"init": "random", "path": None}),
        facts={name: getattr(student, name) for name in FACTS if hasattr(student, name)},
        classes=list(classes),
        image_size=student.image_size,
        mean=list(student.mean),
        std=list(student.std),
        temperature=temperature,
        thresholds=dict(thresholds or {}),
    )
    hidden = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(hidden, ignore_errors=True)
    try:
        with writing(folder):
            hidden.mkdir(parents=True)
            # Copies: safetensors refuses tensors that share their memory, as tied weights do.
            weights = {k: v.detach().cpu().clone().contiguous() for k, v in _state(student).items()}
            save_file(weights, hidden / WEIGHTS, metadata={"format": "pt"})
            _write(hidden / CONFIG, config.model_dump_json(indent=1))
            figures = json.dumps(
                finite(dict(metrics)), indent=1, ensure_ascii=False, allow_nan=False
            )
            _write(hidden / METRICS, figures)
            _write(hidden / CARD, card)
            for name, text in (files or {}).items():
                _write(hidden / name, text)
            if adapter is not None:
                adapter.save(hidden / ADAPTER)
            _put_in_place(hidden, folder)
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
    return folder


def write_card(folder: Path, card: str) -> None:
    """Replace the model card: some of what it says is known only once the model is written."""
    _write(folder / CARD, card)


def size_bytes(folder: Path) -> int:
    """Bytes of the weights on disk."""
    return (folder / WEIGHTS).stat().st_size


def load(folder: Path, device: torch.device | str = "cpu") -> tuple[Student, ModelConfig]:
    """The student in evaluation mode, and its config. StudentError for anything that is none.

    Nothing in the folder is run: the weights are safetensors, the config is checked field by field.
    """
    config = read_config(folder)
    student = _build(config, folder)
    # Torch would say the same of a wrong file, at length, and after reading gigabytes.
    _check_weights(student, folder)
    student.load_state_dict(load_file(folder / WEIGHTS), strict=True)
    if not torch.allclose(_three(student.mean), _three(config.mean), atol=1e-4):
        raise StudentError(
            "The model in {path} was trained with another normalisation than its code builds.",
            path=folder,
            fix="Load it with the version of Tandem that wrote it: {version}.",
            version=config.tandem_version,
        )
    return student.to(device).eval(), config


def read_config(folder: Path) -> ModelConfig:
    """`config.json` alone; StudentError when it is missing or wrong."""
    file = folder / CONFIG
    if not file.is_file() or not (folder / WEIGHTS).is_file():
        raise StudentError(
            "There is no model in {path}: it needs {weights} and {config}.",
            path=folder,
            weights=WEIGHTS,
            config=CONFIG,
            fix="Name a final_model folder, or a run's folder that has one.",
        )
    if file.stat().st_size > LARGEST_CONFIG_BYTES:
        raise StudentError("{file} is too large to be a model's config.", file=file)
    return parse_config(file.read_bytes(), file)


def parse_config(text: bytes | str, source: Path) -> ModelConfig:
    """The config in `text`; `source` is named when it is none."""
    try:
        return ModelConfig.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        raise StudentError(
            "{file} is no config of a Tandem model, at {where}: {problem}.",
            file=source,
            where=".".join(str(part) for part in first["loc"]) or "-",
            problem=first["msg"].rstrip("."),
            fix="Name a model that Tandem has written.",
        ) from error


def _build(config: ModelConfig, folder: Path) -> Student:
    spec = config.student.model_copy(update={"init": "random", "path": None})
    try:
        entry = find("students", spec.type)
    except SpecError as error:
        raise StudentError(
            "The model in {path} is a {type}, which this Tandem does not have.",
            path=folder,
            type=spec.type,
            allowed=error.allowed,
            fix="Install the plug-in that it was trained with.",
        ) from error
    student: Student = entry.make(spec, len(config.classes), config.image_size)
    decided = {name: getattr(student, name) for name in FACTS if hasattr(student, name)}
    if decided != config.facts:
        raise StudentError(
            "The model in {path} has {theirs}, but its code builds {ours}.",
            path=folder,
            theirs=config.facts,
            ours=decided,
            fix="Load it with the version of Tandem that wrote it: {version}.",
            version=config.tandem_version,
        )
    return student


def _check_weights(student: Student, folder: Path) -> None:
    """Names and shapes, from the file's header: before a byte of weights is read."""
    wanted = {name: list(value.shape) for name, value in _state(student).items()}
    try:
        with safe_open(folder / WEIGHTS, framework="pt") as file:
            found = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise StudentError(
            "{file} is no weights file, or a broken one: {reason}.",
            file=folder / WEIGHTS,
            reason=str(error).rstrip("."),
            fix="Copy it again, or train again.",
        ) from error
    problem = _difference(wanted, found)
    if problem:
        raise StudentError(
            "The weights in {path} do not fit its config: {problem}.",
            path=folder,
            problem=problem,
            fix="Copy the whole folder again; its files belong together.",
        )


def _difference(wanted: dict[str, list[int]], found: dict[str, list[int]]) -> str:
    for name in sorted(wanted.keys() | found.keys()):
        if name not in found:
            return t("{name} is missing", name=name)
        if name not in wanted:
            return t("{name} is unknown", name=name)
        if wanted[name] != found[name]:
            return t("{name} is {got}, not {own}", name=name, got=found[name], own=wanted[name])
    return ""


def _state(student: Student) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = student.state_dict()
    return state


def _three(values: Sequence[float]) -> torch.Tensor:
    return torch.tensor(list(values))


def _write(file: Path, text: str) -> None:
    """UTF-8, moved into place; a half letter of a broken file name is spelled out."""
    hidden = file.with_name(f".{file.name}.{os.getpid()}")
    hidden.write_text(text, encoding="utf-8", errors="backslashreplace")
    hidden.replace(file)


def _put_in_place(hidden: Path, folder: Path) -> None:
    """A folder cannot be renamed onto a full one: the old one steps aside first."""
    aside = folder.with_name(f".{folder.name}.old.{os.getpid()}")
    if folder.exists():
        folder.rename(aside)
    hidden.rename(folder)
    # Last: a crash before it leaves the old model under its other name, and nothing is lost.
    shutil.rmtree(aside, ignore_errors=True)
