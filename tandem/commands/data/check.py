"""`tandem data check PATH`, and the same without the other commands: `python -m` this module."""

from __future__ import annotations

from pathlib import Path

from tandem.commands.terminal import print_json, print_table
from tandem.spec.errors import DataError
from tandem.spec.i18n import t

FAULTY = DataError.exit_code


def check(path: Path, kind: str | None, layout: str | None, as_json: bool) -> int:
    """Print every fault, then what is there; 2 where something is wrong."""
    from tandem.data.inspection.check import report as run

    report = run(check_folder(path), known_kind(kind), layout=known_layout(layout))
    if as_json:
        print_json(report.as_dict())
        return 0 if report.ok else FAULTY
    for one in report.faults:
        line = one.sentence()
        print(t("warning: {sentence}", sentence=line) if one.warning else line)
    for note in report.notes:
        print(note)
    if report.format:
        print(t("{path}: {format}, {kind}, {count} classes.", path=report.path,
                format=report.format, kind=report.kind, count=len(report.classes)))  # fmt: skip
        print_counts(report.classes, report.items, report.annotated, report.per_class)
    print(
        t("{errors} faults, {warnings} warnings.", errors=report.errors, warnings=report.warnings)
    )
    return 0 if report.ok else FAULTY


def check_folder(path: Path) -> Path:
    """DataError unless it is a folder."""
    if path.is_dir():
        return path
    raise DataError(
        "The folder {path} is not there." if not path.exists() else "{path} is no folder.",
        path=path,
        fix="Name a data set's folder; a ZIP is unpacked by the service, or by unzip.",
    )


def known_kind(kind: str | None) -> str | None:
    """DataError for a kind that no layout holds."""
    from tandem.data.registry import formats

    known = sorted({one for entry in formats().values() for one in entry.kinds})
    if kind is not None and kind not in known:
        raise DataError("There is no kind {kind!r} of data.", kind=kind, allowed=known)
    return kind


def known_layout(name: str | None) -> str | None:
    """DataError for a layout that there is not."""
    from tandem.data.registry import find

    return None if name is None else find(name).name


def print_counts(
    classes: list[str],
    items: dict[str, int],
    annotated: dict[str, int],
    per_class: dict[str, dict[str, int]],
) -> None:
    """A line for each class, a column for each split."""
    splits = list(items)
    rows: list[list[object]] = [[t("items"), *(items[one] for one in splits)]]
    if annotated:
        rows.append([t("annotated"), *(annotated[one] for one in splits)])
    rows += [[name, *(per_class[one].get(name, 0) for one in splits)] for name in classes]
    print_table("", ["", *splits], rows)


def main() -> int:
    """`python -m tandem.commands.data.check PATH [--kind K] [--type T] [--json]`."""
    import argparse

    parser = argparse.ArgumentParser(prog="python -m tandem.commands.data.check")
    parser.add_argument("path", type=Path)
    parser.add_argument("--kind")
    parser.add_argument("--type")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    return check(given.path, given.kind, given.type, given.json)


if __name__ == "__main__":
    import sys

    from tandem.commands.guard import guarded

    sys.exit(guarded(main))
