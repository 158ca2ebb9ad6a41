"""`tandem data stats PATH [--picture out.png]`."""

from __future__ import annotations

from pathlib import Path

from tandem.commands.data.check import check_folder, known_kind, print_counts
from tandem.commands.terminal import print_json, print_table
from tandem.data.inspection.stats import Stats
from tandem.spec.i18n import t

NEAR_GROUPS_SHOWN = 10


def stats(path: Path, kind: str | None, picture: Path | None, as_json: bool) -> None:
    """Print the figures, and draw them where that is asked for."""
    from tandem.data.inspection.stats import stats as run

    said, values = run(check_folder(path), known_kind(kind))
    if picture is not None:
        from tandem.data.inspection.chart import draw

        draw(said, values, picture)
    if as_json:
        print_json(said.as_dict())
        return
    for note in said.notes:
        print(note)
    print(t("{path}: {format}, {kind}, {count} classes.", path=said.path, format=said.format,
            kind=said.kind, count=len(said.classes)))  # fmt: skip
    print_counts(said.classes, said.items, {}, said.per_class)
    _print_measures(said)
    _print_near(said)
    if said.unreadable or said.faults:
        print(t("{unreadable} pictures cannot be read, {faults} other faults; `tandem data check` "
                "lists them.", unreadable=said.unreadable, faults=said.faults))  # fmt: skip


def _print_measures(said: Stats) -> None:
    several = [
        (t("Width, pixels"), said.widths),
        (t("Height, pixels"), said.heights),
        (t("Shapes in a picture"), said.shapes_per_item),
        (t("A shape's share of its picture"), said.shape_area_shares),
        (t("Frames of a clip"), said.frames_per_clip),
        (t("Characters of a text"), said.text_characters),
    ]
    rows = [[name, *(f"{one:.4g}" for one in values)] for name, values in several if values]
    if rows:
        print_table("", ["", "least", "25 %", "median", "75 %", "most"], rows)


def _print_near(said: Stats) -> None:
    if not said.near.groups:
        return
    alone = ", ".join(f"{split} {count}" for split, count in said.near.within.items()) or "0"
    print(t("Pictures that look nearly the same: {across} across the splits, within one: {alone}.",
            across=said.near.across, alone=alone))  # fmt: skip
    for group in said.near.groups[:NEAR_GROUPS_SHOWN]:
        print(f"  {', '.join(group)}")
