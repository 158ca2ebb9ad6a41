"""`python -m tandem.data.layout_table`: write the table of the layouts into docs/data.md."""

from __future__ import annotations

from pathlib import Path

from tandem.data.registry import FormatEntry, formats

FILE = Path(__file__).parents[2] / "docs" / "data.md"
HEAD = "| format | layout | kinds | holds |\n| --- | --- | --- | --- |\n"


def table() -> str:
    """A row for each layout that ships with Tandem."""
    ours = [one for one in formats().values() if one.make.__module__.startswith("tandem.")]
    return HEAD + "".join(map(_row, ours))


def _row(entry: FormatEntry) -> str:
    kinds, holds = ", ".join(sorted(entry.kinds)), ", ".join(sorted(entry.holds))
    return f"| `{entry.name}` | `{entry.files}` | {kinds} | {holds} |\n"


def replaced(text: str) -> str:
    """A page with its table as it is now."""
    before, _, rest = text.partition(HEAD)
    return f"{before}{table()}\n{rest.partition(chr(10) * 2)[2]}"


if __name__ == "__main__":
    FILE.write_text(replaced(FILE.read_text(encoding="utf-8")), encoding="utf-8")
    print(FILE)
