"""The numbers of the house, of any checkout: `python -m tests.architecture.measure [ROOT]`."""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from statistics import median

from tests.architecture import imports, source
from tests.architecture.source import ROOT, Module

CORE = (
    "tandem/train/types.py",
    "tandem/train/kinds",
    "tandem/train/engines",
    "tandem/train/teachers",
)
COMMENTED = ("tandem/train/yolo", "tandem/server/events", "tandem/train/cache")
LOOSE = 15
Row = tuple[str, object]


def below(modules: Iterable[Module], place: str) -> list[Module]:
    """Return the modules in a folder, or the one that is the file."""
    return [
        one for one in modules if one.path.as_posix() == place or Path(place) in one.path.parents
    ]


def anys(modules: Iterable[Module]) -> int:
    """Count the word `Any`, wherever it stands."""
    return sum(len(re.findall(r"\bAny\b", module.text)) for module in modules)


def loose_files(modules: Iterable[Module]) -> Counter[str]:
    """Count the files that lie in each folder itself; `__init__.py` is the folder's own."""
    return Counter(one.path.parent.as_posix() for one in modules if one.path.name != "__init__.py")


def declared(modules: Iterable[Module]) -> dict[str, list[tuple[str, ast.AST]]]:
    """Return where each class and type alias is declared: `file:line` and the node."""
    places: defaultdict[str, list[tuple[str, ast.AST]]] = defaultdict(list)
    for module in modules:
        for name, node in source.declarations(module):
            places[name].append((module.at(node), node))
    return dict(sorted(places.items()))


def of_docstrings(modules: Iterable[Module]) -> Iterator[str]:
    """Give `file:line` and the first line of each docstring that begins with "Of "."""
    for module in modules:
        for node, text in source.docstrings(module):
            if text.startswith("Of "):
                yield f"{module.at(node)} {text.splitlines()[0]}"


def of_descriptions(modules: Iterable[Module]) -> Iterator[str]:
    """Give `file:line` of each knob's description that begins so: a form shows it to users."""
    for module in modules:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.keyword) and node.arg == "description":
                text = node.value.value if isinstance(node.value, ast.Constant) else ""
                if str(text).startswith("Of "):
                    yield f"{module.at(node.value)} description"


def _sizes(modules: Sequence[Module]) -> Iterator[Row]:
    lengths = [
        (node.end_lineno or node.lineno) - node.lineno + 1
        for module in modules
        for node in source.functions(module)
    ]
    yield "modules", len(modules)
    yield "lines", sum(len(module.lines) for module in modules)
    yield "functions and methods", len(lengths)
    yield "function length, median lines", median(lengths)
    yield "function length, longest", max(lengths)


def _typing(modules: Sequence[Module]) -> Iterator[Row]:
    yield "`Any`", anys(modules)
    for place in CORE:
        yield f"`Any` in {place}", anys(below(modules, place))
    yield "`getattr(`", sum(len(re.findall(r"\bgetattr\(", one.text)) for one in modules)


def _words(modules: Sequence[Module]) -> Iterator[Row]:
    yield "comment lines per 100 of code", _commented(modules)
    for place in COMMENTED:
        yield f"comment lines per 100 of code in {place}", _commented(below(modules, place))
    yield 'docstrings that begin with "Of "', len(list(of_docstrings(modules)))
    yield 'descriptions that begin with "Of "', len(list(of_descriptions(modules)))


def _commented(modules: Sequence[Module]) -> str:
    """Return comment lines per 100 lines with code; a docstring is neither."""
    code = sum(map(source.code_lines, modules))
    return f"{100 * sum(map(source.comment_lines, modules)) / code:.1f}" if code else "none there"


def _circles(modules: Sequence[Module]) -> Iterator[Row]:
    found = imports.find(modules)
    real = imports.graph(found, with_typing=False)
    typed = imports.graph(found, with_typing=True)
    yield "import circles, lazy imports included", len(imports.circles(real))
    yield from ((f"  of {len(circle)}", " ".join(circle)) for circle in imports.circles(real))
    yield "pairs that import each other", len(imports.pairs(real))
    yield from (("  pair", " <-> ".join(pair)) for pair in imports.pairs(real))
    yield "circles with TYPE_CHECKING too", len(imports.circles(typed))
    yield from ((f"  of {len(circle)}", " ".join(circle)) for circle in imports.circles(typed))


def _folders(modules: Sequence[Module]) -> Iterator[Row]:
    loose = loose_files(modules)
    yield "loose files in a folder, most", max(loose.values())
    yield f"folders with more than {LOOSE}", sum(count > LOOSE for count in loose.values())
    yield from ((f"  {place}", count) for place, count in loose.most_common() if count > LOOSE)


def _names(modules: Sequence[Module]) -> Iterator[Row]:
    many = {name: places for name, places in declared(modules).items() if len(places) > 1}
    yield "types declared more than once", len(many)
    for name, places in sorted(many.items(), key=lambda one: (-len(one[1]), one[0])):
        yield f"  {name} x{len(places)}", " ".join(place for place, _ in places)


def table(root: Path) -> Iterator[Row]:
    """Give the rows of one checkout's table: what was counted, and the number."""
    modules = source.read(root, "tandem")
    for rows in (_sizes, _typing, _words, _circles, _folders, _names):
        yield from rows(modules)


def main() -> None:
    """Print the table of the checkout named, or of this one."""
    rows = list(table(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT))
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"{name:<{width}}  {value}")


if __name__ == "__main__":
    main()
