"""`tandem data convert` and `tandem data split`."""

from __future__ import annotations

from pathlib import Path

from tandem.commands.data.check import check_folder, known_kind, known_layout
from tandem.commands.terminal import print_json
from tandem.data.writing.convert import Written
from tandem.spec.errors import SpecError
from tandem.spec.i18n import t

WAYS = ("stratified", "group")


def convert(
    source: Path,
    target: Path,
    to: str,
    kind: str | None,
    layout: str | None,
    leave_out: bool,
    as_json: bool,
) -> None:
    """Write it, and print what was lost on the way."""
    from tandem.data.writing.convert import convert as run

    check_folder(source)
    written = run(
        source, target, to, known_kind(kind), leave_out=leave_out, layout=known_layout(layout)
    )
    print_written(written, as_json)


def split(
    path: Path,
    val: float,
    by: str,
    pattern: str | None,
    seed: int,
    output: Path | None,
    kind: str | None,
    layout: str | None,
    as_json: bool,
) -> None:
    """Write it, or show how large the parts would be."""
    from tandem.data.writing.split import split as run

    if by not in WAYS:
        raise SpecError("There is no way {by!r} to split.", by=by, allowed=WAYS)
    if (by == "group") != (pattern is not None):
        raise SpecError(
            "--by group and --group-pattern belong together.",
            fix="Give both, for example --group-pattern '^(patient[0-9]+)_'.",
        )
    check_folder(path)
    divided = run(
        path, val, seed, output, pattern=pattern, kind=known_kind(kind), layout=known_layout(layout)
    )
    print_written(divided, as_json)


def print_written(result: Written, as_json: bool) -> None:
    """What was written, what was lost and what was left out."""
    if as_json:
        print_json(result.as_dict())
        return
    for fault in result.left_out:
        print(t("left out: {sentence}", sentence=fault))
    for note in result.notes:
        print(note)
    for sentence, count in sorted(result.lost.items(), key=lambda one: -one[1]):
        print(t("lost in {count} items: {sentence}", count=count, sentence=sentence))
    parts = ", ".join(f"{name} {count}" for name, count in result.items.items())
    if result.target:
        print(t("{target}: {format}, {kind}; {parts}.", target=result.target, format=result.format,
                kind=result.kind, parts=parts))  # fmt: skip
    else:
        print(t("{format}, {kind}; {parts}.", format=result.format, kind=result.kind, parts=parts))
