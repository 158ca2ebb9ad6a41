"""Executors by name: one is found because its file lies here, or by a package's entry point.

`TANDEM_EXECUTOR=local` is `tandem/executors/local.py`, or what a package names `local` in the entry
point group `tandem.executors`. Only that one is imported: what a cluster needs is loaded by nobody
else.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol, TypeVar

from tandem.executors.base import Executor
from tandem.spec.errors import SpecError

ENTRY_POINT_GROUP = "tandem.executors"
HERE = Path(__file__).parent


class ExecutorClass(Protocol):
    """What makes an executor."""

    name: str

    def __call__(self, *, command: Sequence[str] = ...) -> Executor:
        """`command` is run with a spec's file after it: the trainer, unless a test says more."""
        ...


_Made = TypeVar("_Made", bound=ExecutorClass)
_registered: dict[str, ExecutorClass] = {}


def register(made: _Made) -> _Made:
    """Decorates an executor's class; its `name` is what the setting says, and its file's."""
    _registered[made.name] = made
    return made


def find(name: str) -> ExecutorClass:
    """The executor of this name. SpecError without it."""
    _import(name)
    if name not in _registered:
        raise SpecError(
            "There is no executor {name}.",
            name=name,
            allowed=names(),
            fix="Mend TANDEM_EXECUTOR, or leave it out.",
        )
    return _registered[name]


def names() -> list[str]:
    """All that there are; each is imported."""
    for file in pkgutil.iter_modules([str(HERE)]):
        _import(file.name)
    for point in entry_points(group=ENTRY_POINT_GROUP):
        _import(point.name)
    return sorted(_registered)


def _import(name: str) -> None:
    if any(file.name == name for file in pkgutil.iter_modules([str(HERE)])):
        import_module(f"{__package__}.{name}")
    for point in entry_points(group=ENTRY_POINT_GROUP, name=name):
        point.load()
