"""The students' names and sizes, and how the many ways of writing one are read.

Each student's file states its own (`@register.student(sizes=…, default_size=…, defaults=…)`); here
they are read from the catalog, so that nobody loads torch to know them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, NotRequired, TypedDict

from tandem.spec.errors import StudentError
from tandem.spec.plugins import catalog

if TYPE_CHECKING:
    from tandem.spec.run import RunSpec

DEFAULT_TYPE = "resnet"
"""Where neither a type nor a size is named."""


class StudentFacts(TypedDict):
    """What the catalog says of a student, as far as a spec is read by it."""

    sizes: dict[str, float]
    """Millions of parameters by size."""
    activations: NotRequired[dict[str, float]]
    """By size, the numbers that each pixel (of a text: each token) leaves for the backward pass."""
    default_size: NotRequired[str]
    """Where the type is named alone, as installed systems may do (`unet`, `lstm`)."""
    defaults: NotRequired[dict[str, object]]
    """What suits it where a run says nothing else, by the path of a knob."""
    open_sizes: NotRequired[bool]
    """Whether `<type>-<anything>` is a size too, which the student itself judges."""


def students() -> Mapping[str, StudentFacts]:
    """What ships with Tandem, by type."""
    return {one["name"]: one for one in catalog.read()["students"]}


def sizes(type: str) -> Mapping[str, float]:
    """Millions of parameters of a type's sizes; empty for a plug-in package's own type."""
    known = students().get(type)
    return known["sizes"] if known else {}


def defaults(type: str) -> Mapping[str, object]:
    """What suits a type where a run says nothing else; empty for one that is not known here."""
    known = students().get(type)
    return known.get("defaults", {}) if known else {}


def default_size(type: str) -> str:
    """The size of a known type that is named alone: the one it states, else its first."""
    known = students()[type]
    return known.get("default_size") or next(iter(known["sizes"]))


def default_detector() -> str:
    """The type that learns boxes where none is named: YOLOv8 with its extra, else YOLOX.

    Nothing is imported to know it.
    """
    return "yolov8" if find_spec("ultralytics") else "yolox"


def is_type(name: str) -> bool:
    """Whether a name is a student's type and says no size: `resnet`, `ViT`."""
    return _plain(name) in students()


def resolve(type: str, size: str) -> tuple[str, str]:
    """The type and size as the catalog spells them.

    Reads `("resnet", "50")`, `("", "vit_base")`, `("resnet50", "")` and `("", "resnet/resnet50")`.
    A type not listed here may be a plug-in's: it passes through, for the registry to judge.
    Raises StudentError with the allowed sizes for one that does not exist.
    """
    family, wanted = _plain(type), _plain(size)
    if not family and not wanted:
        return DEFAULT_TYPE, default_size(DEFAULT_TYPE)
    if "/" in wanted:
        prefix, _, wanted = wanted.partition("/")
        if family and family != prefix:
            raise StudentError(
                "The student's size {size} does not belong to its type {type}.",
                size=size,
                type=type,
                fix="Give one of them, or two that agree.",
            )
        family = prefix
    if not family:
        return _type_of(wanted, size)
    if family not in students():
        return _split(family, type, wanted, size)
    if not wanted:
        return family, default_size(family)
    return family, _size_of(family, wanted, size)


def all_sizes() -> list[str]:
    """Every size of every type, as the catalog spells them."""
    return [size for facts in students().values() for size in facts["sizes"]]


def _plain(text: str) -> str:
    return re.sub(r"[\s_-]+", "-", text.strip().lower())


def _key(text: str) -> str:
    return text.replace("-", "")


def _type_of(wanted: str, size: str) -> tuple[str, str]:
    if wanted in students():
        return wanted, default_size(wanted)
    for family in students():
        for known in sizes(family):
            if _key(known) == _key(wanted):
                return family, known
    for family, facts in students().items():
        if facts.get("open_sizes") and wanted.startswith(f"{family}-"):
            return family, size.strip().lower()
    raise StudentError(
        "There is no student of size {size!r}.",
        size=size,
        allowed=all_sizes(),
        fix="Choose one of these, or name its type too.",
    )


def _split(family: str, type: str, wanted: str, size: str) -> tuple[str, str]:
    """A size written where the type belongs; anything else is a plug-in's own name."""
    try:
        found, known = _type_of(family, type)
    except StudentError:
        return type, size
    if wanted and _key(wanted) != _key(known) and _key(found + wanted) != _key(known):
        raise StudentError(
            "The student's type {type} and its size {size} disagree.",
            type=type,
            size=size,
            fix="Give one of them, or two that agree.",
        )
    return found, known


def _size_of(family: str, wanted: str, size: str) -> str:
    for known in sizes(family):
        if _key(wanted) in (_key(known), _key(known).removeprefix(family)):
            return known
    if students()[family].get("open_sizes"):
        own = size.strip().lower()
        return own if own.startswith(f"{family}-") else f"{family}-{own}"
    raise StudentError(
        "{type} has no size {size!r}.",
        type=family,
        size=size,
        allowed=sizes(family),
        fix="Choose one.",
    )


def memory_megabytes(parameter_millions: float) -> float:
    """What training asks for by the parameters alone: weights, gradients, Adam's two averages.

    Four bytes each. What the pictures of a batch take comes on top.
    """
    return round(parameter_millions * 4 * 4, 1)


def activations_megabytes(spec: RunSpec, bytes_each: int = 4) -> float | None:
    """What the pictures (clips, texts) of one process's batch leave for the backward pass.

    None where the student does not state it. In half precision half as many bytes are kept of most.
    """
    known = students().get(spec.student.type)
    each = known.get("activations", {}).get(spec.student.size) if known else None
    if each is None:
        return None
    devices = spec.run.devices
    processes = len(devices) if isinstance(devices, list) else spec.run.processes or 1
    samples = -(-spec.optim.batch_size // processes)
    frames = spec.student.frames if spec.student.type in _BY_FRAME else 1
    units = spec.data.image_size**2 * frames
    if spec.student.type in _BY_TOKEN:
        units = spec.student.max_tokens
    return round(samples * units * each * bytes_each / 2**20, 1)


_BY_TOKEN, _BY_FRAME = frozenset({"bert"}), frozenset({"lstm"})
