"""Which letters of a keyword are the rarest in the tasks' texts: only those tasks are read."""

from __future__ import annotations

import re
from collections.abc import Iterable

from sqlalchemy import ColumnElement, Select, exists, func, literal, or_, select
from sqlalchemy.orm import Session

from tandem.server.db.tables import SearchGram, SearchNumber, Task

TEXTS = (Task.task_name, Task.description, Task.task_id)
COUNTED = ((8, 500), (3, 4_000))
"""So many of a keyword's grams are counted so far, then so many: in a moment where one is rare. Of
letters that more tasks have, all tasks are read as soon."""
_WORD_OF_TWO = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]{2}")
"""Two ideographs: to no collation is an ASCII letter the same, so each such pair is indexed."""


def holds(keyword: str) -> ColumnElement[bool]:
    """A text of the task holds the keyword as it is; large and small letters are the same."""
    return or_(*(column.icontains(keyword, autoescape=True) for column in TEXTS))


def rarest_gram(session: Session, keyword: str | None) -> str | None:
    """Three letters of the keyword (two ideographs) that few tasks have; None: read all tasks.

    None too where the data base has no index of texts, and where some text was too long for it.
    """
    if not keyword or len(keyword) < 3 and not _WORD_OF_TWO.fullmatch(keyword):
        return None
    ready = exists(select(SearchNumber.n)) & ~exists(_tasks_with(""))
    # In the data base, whose small letters the index has.
    small: str | None = session.scalar(select(func.lower(literal(keyword))).where(ready))
    if small is None:
        return None
    for many, most in COUNTED:
        grams = _spread(dict.fromkeys(_grams(small)), many)
        counts = [
            select(func.count()).select_from(_tasks_with(gram).limit(most).subquery())
            for gram in grams
        ]
        found = session.execute(select(*(one.scalar_subquery() for one in counts))).one()
        fewest, rarest = min(zip(found, grams, strict=True))
        if fewest < most:
            return rarest
    return None


def with_gram(gram: str) -> ColumnElement[bool]:
    """The task is one of those: a join, as each is there once."""
    return (SearchGram.gram == gram) & (SearchGram.task_key == Task.id)


def _tasks_with(gram: str) -> Select[int]:
    return select(SearchGram.task_key).where(SearchGram.gram == gram)


def _grams(text: str) -> Iterable[str]:
    size = min(3, len(text))
    return (text[at : at + size] for at in range(len(text) - size + 1))


def _spread(grams: Iterable[str], most: int) -> list[str]:
    """At most so many of them, from all of the keyword; the last is more often rare."""
    every = list(grams)[::-1]
    return every[:: -(-len(every) // most)]
