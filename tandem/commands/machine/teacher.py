"""`tandem doctor --teacher NAME`: the teacher is found, loaded and asked once."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, get_args

from tandem.commands.terminal import print_json, print_status, print_table
from tandem.config.hub import use_hub
from tandem.config.models import ModelLocation, find_teacher
from tandem.config.settings import load
from tandem.spec.errors import SpecError, TeacherError
from tandem.spec.run import TeacherSpec

if TYPE_CHECKING:
    import torch

WORDS = 8
"""Tokens of the text that a teacher of texts is shown."""


@dataclass(frozen=True)
class LoadedTeacher:
    """What a teacher came to on this machine."""

    name: str
    path: str
    family: str
    parameters: int
    device: str
    seconds: float
    """For loading it and one answer."""
    width: int
    """Numbers of a token of its answer."""
    memory_bytes: int | None
    """At most used of the GPU; None on a CPU."""


def check_teacher(name: str, precision: str, as_json: bool) -> int:
    """Print what it is; 0. SpecError for another precision, TeacherError for a teacher that is not
    there, is none, or does not load."""
    allowed = get_args(TeacherSpec.model_fields["precision"].annotation)
    if precision not in allowed:
        raise SpecError(
            "{field} must be one of those allowed.", field="--precision", allowed=allowed
        )
    settings = load()
    use_hub(settings)
    found = find_teacher(name, None, settings)
    assert found is not None, "a name is given"
    if found.note:
        print_status(found.note)
    loaded = _load(name, found, precision)
    if as_json:
        print_json(asdict(loaded))
        return 0
    used = "" if loaded.memory_bytes is None else f"{loaded.memory_bytes / 1e9:.1f} GB"
    heads = ["teacher", "family", "parameters", "device", "seconds", "memory", "path"]
    row = [loaded.name, loaded.family, f"{loaded.parameters:,}", loaded.device,
           f"{loaded.seconds:.1f}", used, loaded.path]  # fmt: skip
    print_table("", heads, [row])
    return 0


def _load(name: str, found: ModelLocation, precision: str) -> LoadedTeacher:
    import torch

    from tandem.train.registry import find
    from tandem.train.teachers.family import family_of

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    spec = TeacherSpec.model_validate({"path": found.path, "precision": precision})
    family = family_of(spec)
    began = time.perf_counter()
    teacher = find("teachers", family).make(spec, device)
    try:
        answer = teacher.signals(_shown(teacher.image_size))
    except (RuntimeError, ValueError, OSError) as error:
        raise TeacherError(
            "The teacher {name} is at {path}, but it does not load: {reason}.",
            name=name,
            path=found.path,
            reason=" ".join(str(error).split())[:200],
            fix="Copy it again, all of its files; of too little memory, a lower --precision "
            "(int8, int4) needs less.",
        ) from error
    assert answer.tokens_BHWD is not None
    return LoadedTeacher(
        name=name,
        path=found.path,
        family=family,
        parameters=teacher.parameters,
        device=str(device),
        seconds=round(time.perf_counter() - began, 2),
        width=int(answer.tokens_BHWD.shape[-1]),
        memory_bytes=torch.cuda.max_memory_allocated() if device.type == "cuda" else None,
    )


def _shown(image_size: int) -> torch.Tensor:
    """A grey picture (1, 3, S, S); or a text (1, 3, L) of a teacher that sees none."""
    import torch

    if image_size:
        return torch.full((1, 3, image_size, image_size), 0.5)
    ids_BL = torch.ones(1, WORDS, dtype=torch.int64)
    return torch.stack([ids_BL, torch.ones_like(ids_BL), torch.zeros_like(ids_BL)], 1)
