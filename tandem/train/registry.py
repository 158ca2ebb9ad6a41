"""Plug-ins by name: found because the file lies in its folder, or by a package's entry point."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from tandem.spec.errors import SpecError, TandemError
from tandem.train.types import Options

FOLDERS = ("students", "teachers", "losses")
ENTRY_POINT_GROUP = "tandem.plugins"


@dataclass(frozen=True)
class Entry:
    """One registered thing: `make` is the decorated function or class."""

    group: str
    name: str
    make: Callable[..., Any]
    options: type[Options]
    kinds: frozenset[str] = frozenset()
    gives: frozenset[str] = frozenset()
    needs: frozenset[str] = frozenset()
    facts: dict[str, Any] = field(default_factory=dict)
    """What the catalogue shows: sizes, licence, source."""

    @property
    def about(self) -> str:
        """The first line of its docstring."""
        return (self.make.__doc__ or "").strip().splitlines()[0] if self.make.__doc__ else ""


class _Register:
    """`@register.loss("kl", needs={"logits"}, options=KLOptions)`."""

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], Entry] = {}

    def _add(self, group: str, name: str, **what: Any) -> Callable[[Any], Any]:
        def decorate(make: Any) -> Any:
            known = self.entries.get((group, name))
            if known is not None and known.make.__module__ != make.__module__:
                raise TandemError(
                    "Two plug-ins call themselves {group} {name!r}: {one} and {other}.",
                    group=group,
                    name=name,
                    one=known.make.__module__,
                    other=make.__module__,
                    fix="Rename one of them.",
                )
            sets = {k: frozenset(what.pop(k, ())) for k in ("kinds", "gives", "needs")}
            options = what.pop("options", Options)
            self.entries[group, name] = Entry(group, name, make, options, **sets, facts=what)
            return make

        return decorate

    def student(self, name: str, **what: Any) -> Callable[[Any], Any]:
        """Decorates `build(spec: StudentSpec, num_classes: int, image_size: int) -> Student`."""
        return self._add("students", name, **what)

    def teacher(self, name: str, **what: Any) -> Callable[[Any], Any]:
        """Decorates `load(spec: TeacherSpec, device: torch.device) -> Teacher`."""
        return self._add("teachers", name, **what)

    def loss(self, name: str, **what: Any) -> Callable[[Any], Any]:
        """Decorates `loss(student, teacher: Signals, batch: Batch, options) -> Tensor`."""
        return self._add("losses", name, **what)


register = _Register()


@cache
def _discover() -> None:
    for folder in FOLDERS:
        package = importlib.import_module(f"tandem.train.{folder}")
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{package.__name__}.{module.name}")
    for point in entry_points(group=ENTRY_POINT_GROUP):
        point.load()


def entries(group: str) -> dict[str, Entry]:
    """Every plug-in of one group by name, in the order of the names."""
    _discover()
    found = [entry for (where, _), entry in register.entries.items() if where == group]
    return {entry.name: entry for entry in sorted(found, key=lambda entry: entry.name)}


def find(group: str, name: str) -> Entry:
    """One plug-in; SpecError with the allowed names when there is none."""
    known = entries(group)
    if name not in known:
        raise SpecError(
            "There is no {name!r} among the {group}.", name=name, group=group, allowed=known
        )
    return known[name]


def names(group: str) -> Iterable[str]:
    return entries(group).keys()
