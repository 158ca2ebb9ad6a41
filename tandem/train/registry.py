"""Plug-ins by name: found because the file lies in its folder, or by a package's entry point.

What `@register.<sort>` decorates is remembered as a `PluginEntry`. A folder's modules are imported
when something of it is first asked for, so that whoever needs a loss does not load every student.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Literal, TypeVar, overload

import torch
from torch import Tensor, nn

from tandem.spec.errors import SpecError, TandemError
from tandem.spec.plugins import catalog
from tandem.spec.plugins.catalog import ENTRY_POINT_GROUP
from tandem.spec.plugins.losses import LossRole
from tandem.spec.run import StudentSpec, TeacherSpec
from tandem.train.pretrained.checkpoint import PretrainedCheckpoint
from tandem.train.types import Options, Student, Teacher

FOLDERS = ("students", "teachers", "losses", "kinds")
PRECEDENCE = 50
"""What a plug-in has that does not say."""

StudentBuilder = Callable[[StudentSpec, int, int], Student]
"""Takes the spec, the number of classes, and the pixels a side."""
TeacherOpener = Callable[[TeacherSpec, torch.device], Teacher]
LossFunction = Callable[..., Tensor]
"""Takes a StepOutput, Signals, a Batch, and the loss's own options."""
HeadBuilder = Callable[..., nn.Module]
"""Takes a HeadShape and the loss's own options; its module is called with a StepOutput, and gives
the one that the loss is to see."""
_Made = TypeVar("_Made", bound=Callable[..., object])


@dataclass(frozen=True, kw_only=True)
class PluginEntry:
    """One registered thing: `make` is the decorated function or class."""

    group: str
    name: str
    make: Callable[..., object]
    options: type[Options] = Options
    kinds: frozenset[str] = frozenset()
    gives: frozenset[str] = frozenset()
    needs: frozenset[str] = frozenset()
    zh: str = ""
    """`about` in Chinese."""
    title: tuple[str, str] = ("", "")
    """What a form calls it where it is a choice, in English and in Chinese."""
    precedence: int = PRECEDENCE
    """Where several could be meant, the lowest is asked first."""
    facts: dict[str, object] = field(default_factory=dict)
    """What the catalog shows: sizes, licence, source."""

    @property
    def about(self) -> str:
        """The first line of its docstring."""
        return (self.make.__doc__ or "").strip().splitlines()[0] if self.make.__doc__ else ""


@dataclass(frozen=True, kw_only=True)
class StudentEntry(PluginEntry):
    """A student's architecture."""

    make: StudentBuilder
    engine: str = "accelerate"
    """The training loop that it learns in."""


@dataclass(frozen=True, kw_only=True)
class TeacherEntry(PluginEntry):
    """A family of teachers."""

    make: TeacherOpener
    reads: Literal["images", "text"] = "images"
    recognises: Callable[[PretrainedCheckpoint], bool] | None = None
    """Whether a checkpoint is of this family; None where `teacher.family` must name it. May raise
    TeacherError for one that nobody reads."""
    strict: bool = False
    """Whether a checkpoint of another family is refused even where this one is named."""
    example: Callable[[Path], None] | None = None
    """Writes the smallest checkpoint of this family that there can be: the tests open it."""


@dataclass(frozen=True, kw_only=True)
class LossEntry(PluginEntry):
    """A term of the loss."""

    make: LossFunction
    role: LossRole
    """What it is in a run, by which histories add its value up and a spec may choose it."""
    head: HeadBuilder | None = None
    """A module between student and loss: trained with the student, dropped at export."""

    @property
    def reads(self) -> frozenset[str]:
        """The parts of the student's output that it looks at."""
        reads = self.facts.get("reads")
        return frozenset(reads) if isinstance(reads, set | frozenset) else self.needs


@dataclass(frozen=True, kw_only=True)
class KindEntry(PluginEntry):
    """Something that can be learnt; `tandem.train.kinds.find` makes it."""

    make: Callable[[], object]


@dataclass(frozen=True, kw_only=True)
class EngineEntry(PluginEntry):
    """A training loop; `tandem.train.engines.registry.find_engine` makes it."""

    make: Callable[[], object]


class _Register:
    """`@register.loss("kl", needs={"logits"}, options=KLOptions, zh="…")`.

    Every decorator takes `zh`, the first line of the docstring in Chinese, and any further keyword
    as a fact for the catalog.
    """

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], PluginEntry] = {}

    def student(
        self,
        name: str,
        *,
        kinds: Iterable[str] = (),
        gives: Iterable[str] = (),
        options: type[Options] = Options,
        engine: str = "accelerate",
        zh: str = "",
        **facts: object,
    ) -> Callable[[_Made], _Made]:
        """Decorates `build(spec: StudentSpec, num_classes: int, image_size: int) -> Student`."""

        def decorate(make: _Made) -> _Made:
            entry = StudentEntry(
                group="students",
                name=name,
                make=make,  # type: ignore[arg-type]
                options=options,
                kinds=frozenset(kinds),
                gives=frozenset(gives),
                engine=engine,
                zh=zh,
                facts=facts,
            )
            return self._add(entry, make)

        return decorate

    def teacher(
        self,
        name: str,
        *,
        gives: Iterable[str] = (),
        options: type[Options] = Options,
        reads: Literal["images", "text"] = "images",
        recognises: Callable[[PretrainedCheckpoint], bool] | None = None,
        strict: bool = False,
        example: Callable[[Path], None] | None = None,
        precedence: int = PRECEDENCE,
        zh: str = "",
        **facts: object,
    ) -> Callable[[_Made], _Made]:
        """Decorates `open(spec: TeacherSpec, device: torch.device) -> Teacher`."""

        def decorate(make: _Made) -> _Made:
            entry = TeacherEntry(
                group="teachers",
                name=name,
                make=make,  # type: ignore[arg-type]
                options=options,
                gives=frozenset(gives),
                reads=reads,
                recognises=recognises,
                strict=strict,
                example=example,
                precedence=precedence,
                zh=zh,
                facts=facts,
            )
            return self._add(entry, make)

        return decorate

    def loss(
        self,
        name: str,
        *,
        role: LossRole,
        needs: Iterable[str] = (),
        options: type[Options] = Options,
        kinds: Iterable[str] = (),
        head: HeadBuilder | None = None,
        zh: str = "",
        title: tuple[str, str] = ("", ""),
        **facts: object,
    ) -> Callable[[_Made], _Made]:
        """Decorates `loss(student, teacher: Signals, batch: Batch, options) -> Tensor`.

        `role` says what it is in a run: `hard` (on labels), `soft` (on the teacher's class
        scores), `feature` (on its dense features; named `feature_<name>`), `attention`,
        `relation` or `intermediate`. A spec chooses among those of `soft` and of `feature`.
        `kinds` are those that it can be used for; none named: all. `head` builds a module that
        is trained between student and loss; a fact `reads` names the student's parts that it looks
        at, where they are not those that it `needs` of the teacher.
        """

        def decorate(make: _Made) -> _Made:
            catalog.note("losses", name, role)
            entry = LossEntry(
                role=role,
                title=title,
                group="losses",
                name=name,
                make=make,  # type: ignore[arg-type]
                options=options,
                needs=frozenset(needs),
                kinds=frozenset(kinds),
                head=head,
                zh=zh,
                facts=facts,
            )
            return self._add(entry, make)

        return decorate

    def kind(
        self,
        name: str,
        *,
        precedence: int = PRECEDENCE,
        zh: str = "",
        title: tuple[str, str] = ("", ""),
        **facts: object,
    ) -> Callable[[_Made], _Made]:
        """Decorates a class with what `kinds.base.Kind` asks for; gives it its `name`."""

        def decorate(make: _Made) -> _Made:
            setattr(make, "name", name)  # noqa: B010
            catalog.note("kinds", name)
            entry = KindEntry(
                group="kinds",
                name=name,
                make=make,
                precedence=precedence,
                zh=zh,
                title=title,
                facts=facts,
            )
            return self._add(entry, make)

        return decorate

    def engine(self, name: str) -> Callable[[_Made], _Made]:
        """Decorates `open() -> Engine`, which imports its loop when it is called, not before."""

        def decorate(make: _Made) -> _Made:
            return self._add(EngineEntry(group="engines", name=name, make=make), make)

        return decorate

    def _add(self, entry: PluginEntry, make: _Made) -> _Made:
        known = self.entries.get((entry.group, entry.name))
        if known is not None and known.make.__module__ != make.__module__:
            raise TandemError(
                "Two plug-ins call themselves {group} {name!r}: {one} and {other}.",
                group=entry.group,
                name=entry.name,
                one=known.make.__module__,
                other=make.__module__,
                fix="Rename one of them.",
            )
        self.entries[entry.group, entry.name] = entry
        return make


register = _Register()


@cache
def _discover(group: str) -> None:
    package = importlib.import_module(f"tandem.train.{group}")
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if module.name.rpartition(".")[2].startswith("_"):
            continue  # what several plug-ins share
        importlib.import_module(module.name)
    _load_entry_points()


@cache
def _load_entry_points() -> None:
    for point in entry_points(group=ENTRY_POINT_GROUP):
        point.load()


@overload
def entries(group: Literal["students"]) -> dict[str, StudentEntry]: ...
@overload
def entries(group: Literal["teachers"]) -> dict[str, TeacherEntry]: ...
@overload
def entries(group: Literal["losses"]) -> dict[str, LossEntry]: ...
@overload
def entries(group: Literal["kinds"]) -> dict[str, KindEntry]: ...
@overload
def entries(group: Literal["engines"]) -> dict[str, EngineEntry]: ...
@overload
def entries(group: str) -> dict[str, PluginEntry]: ...
def entries(group: str) -> object:
    """Every plug-in of one group by name, in the order of the names."""
    _discover(group)
    found = [entry for (where, _), entry in register.entries.items() if where == group]
    return {entry.name: entry for entry in sorted(found, key=lambda entry: entry.name)}


@overload
def find(group: Literal["students"], name: str) -> StudentEntry: ...
@overload
def find(group: Literal["teachers"], name: str) -> TeacherEntry: ...
@overload
def find(group: Literal["losses"], name: str) -> LossEntry: ...
@overload
def find(group: Literal["kinds"], name: str) -> KindEntry: ...
@overload
def find(group: Literal["engines"], name: str) -> EngineEntry: ...
@overload
def find(group: str, name: str) -> PluginEntry: ...
def find(group: str, name: str) -> object:
    """One plug-in; SpecError with the allowed names when there is none."""
    known = entries(group)
    if name not in known:
        raise SpecError(
            "There is no {name!r} among the {group}.", name=name, group=group, allowed=known
        )
    return known[name]


def names(group: str) -> Iterable[str]:
    return entries(group).keys()


def by_precedence(group: str) -> list[str]:
    """The names of one group, those that are asked first before the others."""
    return [one.name for one in sorted(entries(group).values(), key=lambda one: one.precedence)]
