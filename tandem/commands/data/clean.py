"""`tandem data clean`."""

from __future__ import annotations

from pathlib import Path

from tandem.commands.data.check import check_folder, known_kind, known_layout
from tandem.commands.terminal import print_json
from tandem.spec.errors import SpecError
from tandem.spec.i18n import t


def clean(
    path: Path,
    output: Path | None,
    *,
    yes: bool,
    near: bool,
    leave_out: bool,
    kind: str | None,
    layout: str | None,
    as_json: bool,
) -> None:
    """Show what would go; with `yes`, write what is left into `output`."""
    from tandem.data.writing.clean import clean as run

    if yes and output is None:
        raise SpecError("It is not said where the cleaned data set is to go.",
                        fix="Give a new folder: -o TARGET.")  # fmt: skip
    check_folder(path)
    said = run(path, output if yes else None, near=near, leave_out=leave_out,
               kind=known_kind(kind), layout=known_layout(layout))  # fmt: skip
    if as_json:
        print_json(said.as_dict())
        return
    for fault in said.left_out:
        print(t("left out: {sentence}", sentence=fault))
    for one in said.removed:
        line = (
            t("{name} ({split}) goes: it looks like {kept}", name=one.name, split=one.split,
              kept=one.kept) if one.near else
            t("{name} ({split}) goes: it is {kept} again", name=one.name, split=one.split,
              kept=one.kept)
        )  # fmt: skip
        print(line)
    for kept, other in said.conflicts:
        print(t("{one} and {other} are the same, but labelled otherwise: both stay", one=kept,
                other=other))  # fmt: skip
    print(t("{count} copies go; {conflicts} are labelled otherwise and stay.",
            count=len(said.removed), conflicts=len(said.conflicts)))  # fmt: skip
    if said.written is None:
        print(t("Nothing was written; -o TARGET --yes writes what is left."))
    else:
        parts = ", ".join(f"{name} {count}" for name, count in said.written.items.items())
        print(t("{target}: {format}, {kind}; {parts}.", target=said.written.target,
                format=said.written.format, kind=said.written.kind, parts=parts))  # fmt: skip
