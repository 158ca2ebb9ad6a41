"""Tables of an installed system as data sets: `data_sources.<name>` in tandem.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast

from tandem.config.keys import Value
from tandem.spec.errors import SpecError

KEYS = ("url", "query", "root", "kind")
KINDS = ("classification", "text")


@dataclass(frozen=True)
class DataSource:
    """A query whose rows are the items of a data set."""

    name: str
    url: str = field(repr=False)
    """The data base's address, with its password."""
    query: str
    """Gives the picture's path (or the text), its label and, if there is a third, its split."""
    root: Path | None
    """No picture lies outside of it; None for texts."""
    kind: Literal["classification", "text"]


def find_source(name: str, table: Mapping[str, Value]) -> DataSource:
    """The source that is configured under a name. SpecError where it is not, or not whole."""
    names = sorted({key.rpartition(".")[0] for key in table})
    found = {key.rpartition(".")[2]: value.text for key, value in table.items()
             if key.rpartition(".")[0] == name}  # fmt: skip
    if not found:
        raise SpecError("There is no data source {name}.", name=name, allowed=names,
                        fix="Write data_sources.{name} with url, query and root into tandem.yaml."
                        )  # fmt: skip
    kind = found.get("kind") or "classification"
    needed = ("url", "query") if kind == "text" else ("url", "query", "root")
    missing = [key for key in needed if not found.get(key)]
    strange = sorted(set(found) - set(KEYS))
    if missing or strange or kind not in KINDS:
        raise SpecError(
            "The data source {name} is not whole: it lacks {missing}; not known is {strange}.",
            name=name, missing=", ".join(missing) or "-",
            strange=", ".join([*strange, *([kind] if kind not in KINDS else [])]) or "-",
            allowed=[*KEYS, *KINDS], fix="Mend data_sources.{name} in tandem.yaml.",
        )  # fmt: skip
    root = found.get("root")
    return DataSource(name, str(found["url"]), str(found["query"]), Path(root) if root else None,
                      cast("Literal['classification', 'text']", kind))  # fmt: skip
