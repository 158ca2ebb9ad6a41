"""`tandem data stats PATH [--picture out.png]`."""

from __future__ import annotations

from pathlib import Path

from tandem.commands.data.check import check_folder, known_kind, known_layout, print_counts
from tandem.commands.terminal import print_json, print_table
from tandem.data.inspection.stats import Stats
from tandem.spec.i18n import t

NEAR_GROUPS_SHOWN = 10


def stats(
    path: Path, kind: str | None, layout: str | None, chart: Path | None, as_json: bool
) -> None:
    """Print the figures, and draw them where that is asked for."""
    from tandem.data.inspection.stats import stats as run

    stats, values = run(check_folder(path), known_kind(kind), layout=known_layout(layout))
    if chart is not None:
        from tandem.data.inspection.chart import draw

        draw(stats, values, chart)
    if as_json:
        print_json(stats.as_dict())
        return
    for note in stats.notes:
        print(note)
    print(t("{path}: {format}, {kind}, {count} classes.", path=stats.path, format=stats.format,
            kind=stats.kind, count=len(stats.classes)))  # fmt: skip
    print_counts(stats.classes, stats.items, {}, stats.per_class)
    _print_measures(stats)
    _print_near(stats)
    if stats.unreadable or stats.faults:
        print(t("{unreadable} pictures cannot be read, {faults} other faults; `tandem data check` "
                "lists them.", unreadable=stats.unreadable, faults=stats.faults))  # fmt: skip


def _print_measures(stats: Stats) -> None:
    several = [
        (t("Width, pixels"), stats.widths),
        (t("Height, pixels"), stats.heights),
        (t("Shapes in a picture"), stats.shapes_per_item),
        (t("A shape's share of its picture"), stats.shape_area_shares),
        (t("Frames of a clip"), stats.frames_per_clip),
        (t("Characters of a text"), stats.text_characters),
    ]
    rows = [[name, *(f"{one:.4g}" for one in values)] for name, values in several if values]
    if rows:
        print_table("", ["", "least", "25 %", "median", "75 %", "most"], rows)


def _print_near(stats: Stats) -> None:
    if not stats.near.groups:
        return
    alone = ", ".join(f"{split} {count}" for split, count in stats.near.within.items()) or "0"
    print(t("Pictures that look nearly the same: {across} across the splits, within one: {alone}.",
            across=stats.near.across, alone=alone))  # fmt: skip
    for group in stats.near.groups[:NEAR_GROUPS_SHOWN]:
        print(f"  {', '.join(group)}")
