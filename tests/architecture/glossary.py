"""`docs/glossary.md` as rules: the terms with their homes, and the names that it retires."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.architecture.names import SORTS, Name

COLUMNS = ["term", "meaning", "lives in", "instead of"]
CODE = re.compile(r"`([^`]+)`")
RULE = re.compile(
    rf"(?P<sort>{'|'.join((*SORTS, 'name', 'word'))}) (?P<text>\w+\*?)(?: in (?P<place>\S+))?"
)


@dataclass(frozen=True)
class Retired:
    """A name that may not be declared: of one sort, and perhaps in one place only."""

    sort: str
    text: str
    place: str
    instead: str
    """The term that is said now, and the line of the glossary that says so."""

    def matches(self, name: Name) -> bool:
        """Return whether a name is retired by this rule."""
        if self.sort == "word":
            return self._is_within(name.words) and self._is_there(name.path)
        is_same = name.text == self.text and self.sort in ("name", name.sort)
        return is_same and self._is_there(name.path)

    def _is_there(self, path: Path) -> bool:
        return not self.place or f"{path.as_posix()}/".startswith(f"{self.place}/")

    def _is_within(self, words: tuple[str, ...]) -> bool:
        """Return whether this rule's words stand one after the other among a name's."""
        wanted = self.text.rstrip("*").split("_")
        starts = (at for at, part in enumerate(words) if self._is(part, wanted[0]))
        return any(self._are(words[at : at + len(wanted)], wanted) for at in starts)

    def _are(self, parts: Sequence[str], wanted: Sequence[str]) -> bool:
        return len(parts) == len(wanted) and all(map(self._is, parts, wanted))

    def _is(self, part: str, word: str) -> bool:
        return part.startswith(word) if self.text.endswith("*") else part in (word, f"{word}s")


@dataclass(frozen=True)
class Term:
    """One row of a table."""

    words: tuple[str, ...]
    """Those set as code: names that its home declares."""
    home: str
    line: int
    retired: tuple[Retired, ...]


def read(file: Path) -> list[Term]:
    """Return the rows of a glossary's tables. ValueError for one that cannot be read."""
    return [_term(cells, line) for cells, line in _rows(file.read_text(encoding="utf-8"))]


def _rows(text: str) -> Iterator[tuple[list[str], int]]:
    for number, line in enumerate(text.splitlines(), 1):
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        is_row = line.startswith("|") and not line.startswith("| ---") and cells != COLUMNS
        if is_row and len(cells) != len(COLUMNS):
            raise ValueError(f"line {number} has {len(cells)} cells; a row has {len(COLUMNS)}")
        if is_row:
            yield cells, number


def _term(cells: list[str], line: int) -> Term:
    term, _, home, instead = cells
    words = tuple(CODE.findall(term))
    retired = tuple(_retired(rule, term, line) for rule in CODE.findall(instead))
    return Term(words, home.strip("`"), line, retired)


def _retired(rule: str, term: str, line: int) -> Retired:
    found = RULE.fullmatch(rule)
    if found is None:
        raise ValueError(f"line {line}: `{rule}` is no rule; write `class Voice` or `word voice`")
    return Retired(
        found["sort"], found["text"], found["place"] or "", f"{term.replace('`', '')} (line {line})"
    )
