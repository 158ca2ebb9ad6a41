"""Sentences in the reader's language. The English is the key; zh.json holds the Chinese.

What a plug-in says of itself is in its own file in both languages; the catalog carries it here.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path

CHINESE_FILE = Path(__file__).with_name("zh.json")
# Read here too, not by `plugins.catalog.read`: that needs pydantic, which a help page goes without.
CATALOG_FILE = Path(__file__).parent.parent / "catalog.json"
WIDE_STOPS = ("。", "；", "：", "！", "？")


_SPOKEN: ContextVar[str | None] = ContextVar("language", default=None)


@contextmanager
def speaking(lang: str) -> Iterator[None]:
    """Within it `t` speaks `lang` (`zh` or `en`): a service's readers differ by request."""
    token = _SPOKEN.set(lang)
    try:
        yield
    finally:
        _SPOKEN.reset(token)


def language() -> str:
    """`zh` or `en`: the request's, then TANDEM_LANG, LC_ALL, LC_MESSAGES, LANG, in that order."""
    spoken = _SPOKEN.get()
    if spoken is not None:
        return spoken
    for name in ("TANDEM_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(name)
        if value:
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"


_BESIDE: dict[str, str] = {}
"""What data layouts that were loaded here bring, those of other packages too."""


def add_chinese(sentences: Mapping[str, str]) -> None:
    """Add sentences and their Chinese to the dictionary of this process."""
    _BESIDE.update(sentences)
    chinese.cache_clear()


@cache
def chinese() -> dict[str, str]:
    """Each sentence's Chinese: zh.json, and what plug-ins say of themselves."""
    plugins: dict[str, str] = json.loads(CATALOG_FILE.read_text(encoding="utf-8"))["chinese"]
    return {**plugins, **json.loads(CHINESE_FILE.read_text(encoding="utf-8")), **_BESIDE}


def joined(sentences: Iterable[str]) -> str:
    """Sentences after one another: after a full-width stop there is no space."""
    text = ""
    for sentence in sentences:
        text += " " if text and not text.endswith(WIDE_STOPS) else ""
        text += sentence
    return text


def t(template: str, **fields: object) -> str:
    """The template in the reader's language, its `{name}` fields filled in."""
    if language() == "zh":
        template = chinese().get(template, template)
    return template.format(**fields) if fields else template
