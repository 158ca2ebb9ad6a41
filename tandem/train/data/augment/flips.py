"""Whether a mirrored picture keeps its class."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tandem.spec.run import ViewSpec

_NUMERALS = "zero|one|two|three|four|five|six|seven|eight|nine|ten"
_NUMBER = rf"\d+|{_NUMERALS}|[零〇一二三四五六七八九十]+"
_CHARACTER = re.compile(
    rf"(?:(?:digit|number|num|letter|char|character|upper|lower|数字|字母)[\W_]*)?"
    rf"(?:{_NUMBER}|[a-z]|[α-ω])",
    re.IGNORECASE,
)
_SIDES = frozenset(
    {"left", "right", "leftward", "rightward", "west", "east"}
    | {"clockwise", "counterclockwise", "anticlockwise"}
)
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")


def flip_allowed(spec: ViewSpec, classes: Iterable[str]) -> bool:
    """Whether a mirrored picture keeps its class.

    `auto`: not where a class is a digit, a number or a letter, or names a side.
    """
    if spec.flip != "auto":
        return spec.flip == "on"
    return not any(_has_a_side(name) for name in classes)


def _has_a_side(name: str) -> bool:
    if _CHARACTER.fullmatch(name.strip()) or "左" in name or "右" in name:
        return True
    return any(word.lower() in _SIDES for word in _WORD.findall(name))
