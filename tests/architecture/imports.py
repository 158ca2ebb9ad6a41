"""Who imports whom in a checkout, wherever in a file the import stands, and the circles of it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.architecture.source import Module

Graph = Mapping[str, frozenset[str]]


@dataclass(frozen=True)
class Import:
    """One import of one of our modules by another."""

    importer: str
    imported: str
    place: str  # file:line
    typing_only: bool


def find(modules: Sequence[Module]) -> list[Import]:
    """Return every import of one of these modules by another, those inside functions too."""
    known = {module.name for module in modules}
    return [
        Import(module.name, imported, module.at(node), typing_only)
        for module in modules
        for node, typing_only in _statements(module.tree, typing_only=False)
        for imported in sorted(_targets(module, node, known))
        if imported != module.name
    ]


def graph(imports: Sequence[Import], *, with_typing: bool) -> dict[str, frozenset[str]]:
    """Return whom each module imports; those for a type checker alone only if asked for."""
    edges: dict[str, set[str]] = {}
    for one in imports:
        if with_typing or not one.typing_only:
            edges.setdefault(one.importer, set()).add(one.imported)
    return {importer: frozenset(imported) for importer, imported in edges.items()}


def circles(edges: Graph) -> list[list[str]]:
    """Return the strongly connected components of more than one module, each sorted."""
    reached = {name: _reach(edges, name) for name in edges}
    groups = {
        tuple(sorted(other for other in seen if name in reached.get(other, ())))
        for name, seen in reached.items()
        if name in seen
    }
    return sorted(list(group) for group in groups)


def pairs(edges: Graph) -> list[tuple[str, str]]:
    """Return the modules that import each other directly."""
    return sorted(
        (name, other)
        for name, imported in edges.items()
        for other in imported
        if name < other and name in edges.get(other, ())
    )


def _reach(edges: Graph, start: str) -> set[str]:
    """Return every module that can be come to from one by one import or more."""
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        new = edges.get(waiting.pop(), frozenset()) - seen
        seen |= new
        waiting.extend(new)
    return seen


def _statements(
    node: ast.AST, *, typing_only: bool
) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    """Give the imports below a node, each with whether a type checker alone sees it."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, typing_only
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for inner in child.body:
                yield from _statements(_wrapped(inner), typing_only=True)
            for inner in child.orelse:
                yield from _statements(_wrapped(inner), typing_only=typing_only)
        else:
            yield from _statements(child, typing_only=typing_only)


def _wrapped(statement: ast.stmt) -> ast.Module:
    """Return a statement as the body of a module, so that it is itself among the children."""
    return ast.Module(body=[statement], type_ignores=[])


def _targets(module: Module, node: ast.Import | ast.ImportFrom, known: set[str]) -> set[str]:
    """Return which of the known modules an import names.

    `from a.b import c` names `a.b.c` where that is a module, else `a.b`.
    """
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names} & known
    base = _base(module, node)
    named = {f"{base}.{alias.name}" for alias in node.names}
    whole = {base} if named - known else set()
    return (named | whole) & known


def _base(module: Module, node: ast.ImportFrom) -> str:
    """Return the absolute name behind `from`, whose dots climb from the module's package."""
    if not node.level:
        return node.module or ""
    above = module.package.split(".")[: len(module.package.split(".")) - node.level + 1]
    return ".".join([*above, *([node.module] if node.module else [])])
