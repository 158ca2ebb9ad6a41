"""The figures of a data set as one picture."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tandem.data.inspection.stats import Stats, StatsValues
from tandem.data.writing.files import write_whole
from tandem.spec.errors import OutputFolderError
from tandem.spec.i18n import t

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_CLASSES = 40
BINS = 40
FONTS = ("DejaVu Sans", "Noto Sans CJK SC", "WenQuanYi Zen Hei", "Microsoft YaHei", "SimHei",
         "PingFang SC", "Arial Unicode MS")  # fmt: skip
"""The first that are installed; a letter that none has is an empty box."""
COLOURS = {"train": "#2a78b5", "val": "#e08a1e"}


def draw(said: Stats, values: StatsValues, file: Path) -> None:
    """Bars of the classes by split, and what else was measured. Written whole, as PNG."""
    from io import BytesIO

    from matplotlib import font_manager, rc_context
    from matplotlib.figure import Figure

    installed = {one.name for one in font_manager.fontManager.ttflist}
    more = _distributions(values)
    out = BytesIO()
    fonts = [one for one in FONTS if one in installed]
    with rc_context({"font.family": fonts}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph", category=UserWarning)
        figure = Figure(figsize=(10, 4 + 3 * ((len(more) + 1) // 2)), layout="constrained")
        rows = 1 + (len(more) + 1) // 2
        grid = figure.add_gridspec(rows, 2)
        _bars(figure.add_subplot(grid[0, :]), said)
        for place, (title, several) in enumerate(more):
            axes = figure.add_subplot(grid[1 + place // 2, place % 2])
            axes.hist(several, bins=BINS, color=COLOURS["train"])
            axes.set_title(title)
        figure.savefig(out, format="png", dpi=100)
    try:
        write_whole(file, out.getvalue())
    except OSError as error:
        raise OutputFolderError("{path} cannot be written: {reason}.", path=file,
                                reason=error.strerror or error,
                                fix="Name another file.") from error  # fmt: skip


def _bars(axes: Axes, said: Stats) -> None:
    totals = {
        name: sum(one.get(name, 0) for one in said.per_class.values()) for name in said.classes
    }
    names = sorted(said.classes, key=lambda name: -totals[name])[:MOST_CLASSES]
    below = [0] * len(names)
    for split, counts in said.per_class.items():
        heights = [counts.get(name, 0) for name in names]
        axes.bar(range(len(names)), heights, bottom=below, label=split,
                 color=COLOURS.get(split))  # fmt: skip
        below = [one + other for one, other in zip(below, heights, strict=True)]
    # A dollar sign would begin a formula.
    shown = [name.replace("$", r"\$")[:24] for name in names]
    axes.set_xticks(range(len(names)), shown, rotation=60 if len(names) > 8 else 0)
    axes.set_title(t("Of each class"))
    if said.per_class:
        axes.legend()


def _distributions(values: StatsValues) -> list[tuple[str, Sequence[float]]]:
    several: list[tuple[str, Sequence[float]]] = [
        (t("Width, pixels"), values.widths),
        (t("Height, pixels"), values.heights),
        (t("Shapes in a picture"), values.shapes),
        (t("A shape's share of its picture"), values.areas),
        (t("Frames of a clip"), values.frames),
        (t("Characters of a text"), values.characters),
    ]
    return [(title, one) for title, one in several if one]
