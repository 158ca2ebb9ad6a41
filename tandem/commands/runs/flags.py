"""The training commands' arguments: `[SPEC] --flag value … --set section.field=value`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tandem.config.files import parse_value
from tandem.spec.errors import SpecError
from tandem.spec.i18n import t
from tandem.spec.run.check import default_of, paths
from tandem.spec.run.legacy import FLAGS, MORE_FLAGS, Flag, get, put, read_value
from tandem.spec.run.suggest import nearest

BY_NAME: Mapping[str, Flag] = {flag.name: flag for flag in (*FLAGS, *MORE_FLAGS)}


@dataclass
class ParsedArguments:
    """What the person typed."""

    spec: Path | None = None
    tree: dict[str, object] = field(default_factory=dict)
    """The RunSpec's fields that were given, as a tree."""
    typed: dict[str, object] = field(default_factory=dict)
    """The same without `defaults`."""
    defaults: dict[str, object] = field(default_factory=dict)
    """What `tree` has of fields that nobody gave: a file's word comes before it."""
    names: dict[str, str] = field(default_factory=dict)
    """What each field that was typed was called: `--epochs` for optim.epochs."""
    help: bool = False
    dry_run: bool = False
    """Whether only what the run would take is asked for."""


def parse_arguments(
    arguments: Sequence[str], defaults: Mapping[str, str] | None = None
) -> ParsedArguments:
    """Read them; `defaults` stand in for flags that are not given.

    Names may be written with `-` or `_`, values after a space or `=`. An empty value is as none.
    Raises SpecError on a name that is not known, with the nearest one.
    """
    given = ParsedArguments()
    for name, value in (defaults or {}).items():
        put(given.defaults, BY_NAME[name].path, read_value(BY_NAME[name].path, value))
    left = list(arguments)
    while left:
        word = left.pop(0)
        if word in ("-h", "--help"):
            given.help = True
        elif word.startswith("--"):
            _flag(given, word, left)
        elif given.spec is None and not word.startswith("-"):
            given.spec = Path(word)
        else:
            raise SpecError(
                "The argument {word} is not understood.",
                word=word,
                fix="Every value follows a --flag; --help lists them.",
            )
    given.typed = given.tree
    given.tree = merge_trees(given.defaults, given.typed)
    return given


def _flag(given: ParsedArguments, word: str, left: list[str]) -> None:
    written, has_value, value = word[2:].partition("=")
    name = written.replace("-", "_")
    if name == "set":
        _set(given, value if has_value else _next(word, left))
        return
    if name == "dry_run" and not has_value:
        given.dry_run = True
        return
    flag = BY_NAME.get(name)
    if flag is None:
        raise _unknown(written, name)
    if not has_value:
        alone = not left or left[0].startswith("--")
        value = "True" if flag.is_switch and alone else _next(word, left)
    _fill(given, flag, value)


def _unknown(written: str, name: str) -> SpecError:
    near = nearest(name, [*BY_NAME, "set", "help", "dry_run"])
    return SpecError(
        "There is no flag {word}; did you mean --{near}?" if near else "There is no flag {word}.",
        word=f"--{written}",
        near=near,
        fix="--help lists them all.",
    )


def _next(word: str, left: list[str]) -> str:
    if not left or left[0].startswith("--"):
        raise SpecError("The flag {word} needs a value.", word=word)
    return left.pop(0)


def _set(given: ParsedArguments, text: str) -> None:
    path, has_value, value = text.partition("=")
    if not has_value or not path:
        raise SpecError("--set wants section.field=value.", got=text, fix="--set optim.epochs=3")
    given.names[path.strip()] = path.strip()
    put(given.tree, path.strip(), read_value(path.strip(), parse_value(value)))


def _fill(given: ParsedArguments, flag: Flag, value: str) -> None:
    given.names[flag.path] = f"--{flag.name}"
    if value.strip() or flag.is_list:
        put(given.tree, flag.path, read_value(flag.path, value))


def add_file(given: ParsedArguments, tree: Mapping[str, object]) -> None:
    """What a spec file says, under what was typed beside it."""
    for path in paths():
        if get(tree, path) is not None:
            given.names.setdefault(path, path)
    given.tree = merge_trees(given.defaults, merge_trees(tree, given.typed))


def merge_trees(below: Mapping[str, object], above: Mapping[str, object]) -> dict[str, object]:
    """Both trees in one; where both say something, `above` wins."""
    both = dict(below)
    for name, value in above.items():
        under = both.get(name)
        if isinstance(under, Mapping) and isinstance(value, Mapping):
            value = merge_trees(under, value)
        both[name] = value
    return both


def require(given: ParsedArguments, flags: Iterable[Flag]) -> None:
    """SpecError that names every flag that is missing."""
    missing = [f"--{flag.name}" for flag in flags if get(given.tree, flag.path) is None]
    direct = get(given.tree, "mode") == "direct"
    if not direct and not get(given.tree, "teacher.name") and not get(given.tree, "teacher.path"):
        missing.append(t("--teacher_model (or --teacher_path)"))
    if missing:
        raise SpecError("Missing: {missing}.", missing=", ".join(missing), fix="--help lists all.")


def describe(defaults: Mapping[str, str], required: bool) -> str:
    """The help page of these arguments."""
    from rich.cells import cell_len  # a Chinese letter fills two columns

    about = paths()
    lines = []
    for flag in BY_NAME.values():
        default = defaults.get(flag.name, default_of(flag.path))
        note = t("required") if required and flag.required else default
        text = about.get(flag.path, "").split("\n")[0]
        note += " " * (14 - cell_len(note))
        lines.append(f"  --{flag.name:22} {note} {t(text) if text else ''}".rstrip())
    lines.append(f"  --{'set':22} {'':14} " + t("section.field=value: any field of a run."))
    dry_run = t("Start nothing: measure what the run would take, and say it.")
    lines.append(f"  --{'dry-run':22} {'':14} {dry_run}")
    return "\n".join(lines)
