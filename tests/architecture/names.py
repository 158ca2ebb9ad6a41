"""Every name that the code itself chooses: of files, classes, functions, parameters, variables."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.architecture.source import Function, Module, declarations

FRONT_END = (".ts", ".vue", ".json")
SORTS = ("class", "function", "method", "parameter", "attribute", "variable", "module")
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z]+|[a-z]+|\d+")


@dataclass(frozen=True)
class Name:
    """One name where it is declared; in the front end, where it stands."""

    text: str
    sort: str
    """One of SORTS; in the front end `module` or `any`."""
    path: Path
    line: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line} {self.sort} {self.text}"

    @cached_property
    def words(self) -> tuple[str, ...]:
        """Return its parts in lower case: `dataSets` and `DATA_SETS` are `data`, `sets`."""
        return tuple(part.lower() for part in WORD.findall(self.text))


def in_python(module: Module) -> Iterator[Name]:
    """Give each name that a module declares, its own first."""
    yield from _of_path(module.path)
    aliases = [name for name, node in declarations(module) if not isinstance(node, ast.ClassDef)]
    for text, sort, line in _declared(module.tree, within_class=False):
        is_alias = sort == "variable" and text in aliases
        yield Name(text, "class" if is_alias else sort, module.path, line)


def in_front_end(root: Path, folder: str) -> Iterator[Name]:
    """Give the names in TypeScript and Vue files; those generated from the API are the wire's."""
    for path in sorted((root / folder).rglob("*")):
        if path.suffix in FRONT_END and path.name != "schema.d.ts":
            short = path.relative_to(root)
            yield from _of_path(short)
            if path.suffix != ".json":  # the texts' keys are prose
                yield from _tokens(short, path.read_text(encoding="utf-8"))


def _of_path(path: Path) -> Iterator[Name]:
    """Give a file's name; a package's own file stands for its folder's."""
    stem = path.name.split(".")[0]
    yield Name(path.parent.name if stem in ("__init__", "index") else stem, "module", path, 1)
    if path.suffix in FRONT_END:
        yield Name(path.parent.name, "module", path, 1)


def _declared(node: ast.AST, *, within_class: bool) -> Iterator[tuple[str, str, int]]:
    """Give text, sort and line of each name declared below a node."""
    for child in ast.iter_child_nodes(node):
        yield from _own(child, within_class=within_class)
        inside = isinstance(child, ast.ClassDef) or (
            within_class and not isinstance(child, Function | ast.Lambda)
        )
        yield from _declared(child, within_class=inside)


def _own(node: ast.AST, *, within_class: bool) -> Iterator[tuple[str, str, int]]:
    """Give what a node itself declares."""
    if isinstance(node, ast.ClassDef):
        yield node.name, "class", node.lineno
    elif isinstance(node, Function):
        yield node.name, "method" if within_class else "function", node.lineno
    elif isinstance(node, ast.arg):
        yield node.arg, "parameter", node.lineno
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id, "attribute" if within_class else "variable", node.lineno
    elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
        yield node.attr, "attribute", node.lineno
    elif isinstance(node, ast.alias) and node.asname:
        yield node.asname, "variable", node.lineno


COMMENTS_AND_STRINGS = re.compile(
    r"//[^\n]*|/\*.*?\*/|<!--.*?-->|'(?:\\.|[^'\\\n])*'|\"(?:\\.|[^\"\\\n])*\"", re.DOTALL
)
TEMPLATE_STRING = re.compile(r"`((?:\\.|[^`\\])*)`", re.DOTALL)
INSERTED = re.compile(r"\$\{([^{}]*)\}")
IDENTIFIER = re.compile(r"[A-Za-z_$][\w$]*")
SCRIPT = re.compile(r"<script[^>]*>(.*?)</script>", re.DOTALL)
TEMPLATE = re.compile(r"<template>(.*)</template>", re.DOTALL)
# Of a Vue template only these are code: tags, `{{ … }}`, and the values of bound attributes.
BOUND = re.compile(r"<([A-Z]\w*)|\{\{(.*?)\}\}|\s(?:v-[\w-]+|[:@#])[\w.:-]*=\"(.*?)\"", re.DOTALL)


def _tokens(path: Path, text: str) -> Iterator[Name]:
    """Give the identifiers of a front end's file, neither of comments nor of strings."""
    for start, code in _code(path, text):
        bare = _without_strings(code)
        for found in IDENTIFIER.finditer(bare):
            line = text.count("\n", 0, start) + bare.count("\n", 0, found.start()) + 1
            yield Name(found.group(), "any", path, line)


def _code(path: Path, text: str) -> Sequence[tuple[int, str]]:
    """Return the pieces of a file that are code, each with where it begins."""
    if path.suffix != ".vue":
        return [(0, text)]
    scripts = [(one.start(1), one.group(1)) for one in SCRIPT.finditer(text)]
    template = TEMPLATE.search(text)
    if template is None:
        return scripts
    bound = [
        (template.start(1) + one.start(one.lastindex or 0), one.group(one.lastindex or 0))
        for one in BOUND.finditer(template.group(1))
    ]
    return [*scripts, *bound]


def _without_strings(code: str) -> str:
    """Return code with strings and comments taken out, each line where it was."""

    def blank(found: re.Match[str]) -> str:
        return "\n" * found.group().count("\n") or " "

    def inserted(found: re.Match[str]) -> str:
        lines = "\n" * found.group().count("\n")
        return " " + " ".join(INSERTED.findall(found.group(1))) + " " + lines

    return TEMPLATE_STRING.sub(inserted, COMMENTS_AND_STRINGS.sub(blank, code))
