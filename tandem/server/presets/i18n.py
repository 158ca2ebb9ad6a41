"""What the presets that come with Tandem are called in English.

The data base begins with their Chinese names, which installed clients know them by.
"""

from __future__ import annotations

from typing import NamedTuple

from tandem.spec.i18n import language


class _Translation(NamedTuple):
    """A preset's title and description in English, and the description that it begins with."""

    title: str
    about: str
    first: str


ENGLISH = {
    "标准配置": _Translation(
        "Standard", "The usual choice for everyday fine-tuning", "日常微调的默认选择"
    ),
    "高效配置": _Translation(
        "Thrifty", "For little graphics memory or little data", "显存少或数据少时用"
    ),
    "高精度配置": _Translation("Precise", "Covers all layers of attention", "覆盖全部注意力层"),
    "全参数配置": _Translation(
        "Full",
        "Covers the layers of attention and the feed-forward layers",
        "覆盖注意力层和前馈层",
    ),
}


def localized(name: str, description: str | None) -> tuple[str, str | None]:
    """Title and description for the reader; one that somebody has rewritten is left as it is."""
    if language() == "zh" or name not in ENGLISH:
        return name, description
    title, about, first = ENGLISH[name]
    return title, about if description == first else description
