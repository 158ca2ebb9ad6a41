"""The students' names and sizes, and how the many ways of writing one are read."""

from __future__ import annotations

import re

from tandem.spec.errors import StudentError

SIZES: dict[str, dict[str, float]] = {
    "resnet": {"resnet18": 11.7, "resnet34": 21.8, "resnet50": 25.6, "resnet101": 44.5},
    "vit": {"vit-tiny": 5.7, "vit-small": 22.0, "vit-base": 86.6, "vit-large": 304.0},
}
"""Millions of parameters at 1,000 classes, by type and size."""


def resolve(type: str, size: str) -> tuple[str, str]:
    """The type and size as the catalogue spells them.

    Reads `("resnet", "50")`, `("", "vit_base")`, `("resnet50", "")` and `("", "resnet/resnet50")`.
    A type not listed here may be a plug-in's: it passes through, for the registry to judge.
    Raises StudentError with the allowed sizes for one that does not exist.
    """
    kind, wanted = _plain(type), _plain(size)
    if "/" in wanted:
        prefix, _, wanted = wanted.partition("/")
        if kind and kind != prefix:
            raise StudentError(
                "The student's size {size} does not belong to its type {type}.",
                size=size,
                type=type,
                fix="Give one of them, or two that agree.",
            )
        kind = prefix
    if not kind:
        return _type_of(wanted, size)
    if kind not in SIZES:
        return _split(kind, type, wanted, size)
    return kind, _size_of(kind, wanted, size)


def all_sizes() -> list[str]:
    """Every size of every type, as the catalogue spells them."""
    return [size for sizes in SIZES.values() for size in sizes]


def _plain(text: str) -> str:
    return re.sub(r"[\s_-]+", "-", text.strip().lower())


def _key(text: str) -> str:
    return text.replace("-", "")


def _type_of(wanted: str, size: str) -> tuple[str, str]:
    for kind, sizes in SIZES.items():
        for known in sizes:
            if _key(known) == _key(wanted):
                return kind, known
    raise StudentError(
        "There is no student of size {size!r}.",
        size=size,
        allowed=all_sizes(),
        fix="Choose one of these, or name its type too.",
    )


def _split(kind: str, type: str, wanted: str, size: str) -> tuple[str, str]:
    """A size written where the type belongs; anything else is a plug-in's own name."""
    try:
        found, known = _type_of(kind, type)
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


def _size_of(kind: str, wanted: str, size: str) -> str:
    for known in SIZES[kind]:
        if _key(wanted) in (_key(known), _key(known).removeprefix(kind)):
            return known
    raise StudentError(
        "{type} has no size {size!r}.", type=kind, size=size, allowed=SIZES[kind], fix="Choose one."
    )
