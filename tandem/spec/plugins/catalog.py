"""What there is to choose from, as the trainer's registry wrote it: read without torch.

`tandem/catalog.json` lists what ships with Tandem. A package of its own adds to it by an entry
point in the group `tandem.plugins`; one that is named `<group>.<name>`, such as `losses.huber`, is
known by that name here too, though only the trainer imports it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

CatalogEntry = dict[str, Any]
"""What the catalog tells of one plug-in, by key; which keys there are, its group decides."""

FILE = Path(__file__).parents[2] / "catalog.json"
ENTRY_POINT_GROUP: Final = "tandem.plugins"

_registered: dict[tuple[str, str], str] = {}
"""The role of each plug-in that registered itself in this process, by group and name."""


_fresh: CatalogEntry = {}
"""What `read` gives while the file is being made anew."""


def read() -> CatalogEntry:
    """The catalog as `python -m tandem.train.catalog` wrote it."""
    return _fresh or _file()


@cache
def _file() -> CatalogEntry:
    return dict(json.loads(FILE.read_text(encoding="utf-8")))


@contextmanager
def instead_of_the_file(groups: Mapping[str, object]) -> Iterator[None]:
    """Within it `read` gives these: what is made from the catalog then has no older one in it."""
    _fresh.update(groups)
    try:
        yield
    finally:
        _fresh.clear()


def students() -> dict[str, CatalogEntry]:
    """The students by type."""
    return {one["name"]: one for one in read()["students"]}


def note(group: str, name: str, role: str = "") -> None:
    """Tell of a plug-in that this process has: a fresh one may not be in the file yet."""
    _registered[group, name] = role


def chosen_names(group: str, role: str = "") -> dict[str, CatalogEntry]:
    """The catalog's plug-ins of a group (and role) by the name a spec chooses them by.

    A loss on features is registered as `feature_<name>` and chosen as `<name>`.
    """
    found = (one for one in read()[group] if not role or one["role"] == role)
    return {one["name"].removeprefix(f"{role}_"): one for one in found}


class PluginName:
    """Metadata of a spec's field: the name of a registered plug-in of `group` (and `role`).

    A name from the catalog, of a plug-in that registered itself or that an installed package
    announces. Where a package has plug-ins that it does not announce by name, any name passes, for
    the trainer's registry to judge.
    """

    def __init__(self, group: str, role: str = "", *, first: str = "") -> None:
        """`first` is offered before the others, which follow by name: the field's default."""
        self.group, self.role, self.first = group, role, first

    def __get_pydantic_core_schema__(
        self, source: type, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._known, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> CatalogEntry:
        return handler(schema) | {"enum": self._in_order(chosen_names(self.group, self.role))}

    def _known(self, name: str) -> str:
        # The catalog first: what is installed beside it is slow to ask about.
        is_known = name in chosen_names(self.group, self.role) or name in self.names()
        if not is_known and not _has_unannounced():
            # Said as a Literal's fault is, so that each entrance answers it as one.
            expected = " or ".join(f"'{one}'" for one in self._in_order(self.names()))
            raise PydanticCustomError(
                "literal_error", "Input should be {expected}", {"expected": expected}
            )
        return name

    def _in_order(self, names: Iterable[str]) -> list[str]:
        return sorted(names, key=lambda name: (name != self.first, name))

    def names(self) -> set[str]:
        """Every name that may be chosen."""
        prefix = f"{self.role}_"
        own = {name for (group, name), role in _registered.items()
               if group == self.group and role == self.role}  # fmt: skip
        others = own | _announced(self.group)
        return {*chosen_names(self.group, self.role), *(one.removeprefix(prefix) for one in others)}


@cache
def _points() -> tuple[str, ...]:
    # Asked only where a name is not in the catalog: the import costs a command 20 ms.
    from importlib.metadata import entry_points

    return tuple(point.name for point in entry_points(group=ENTRY_POINT_GROUP))


def _announced(group: str) -> set[str]:
    return {one.removeprefix(f"{group}.") for one in _points() if one.startswith(f"{group}.")}


def _has_unannounced() -> bool:
    return any("." not in one for one in _points())
