"""The Python files of a checkout, parsed: the rules and the numbers of the house read them."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
PRAGMAS = ("# noqa", "# type:", "# pragma")
Function = ast.FunctionDef | ast.AsyncFunctionDef
# A class's name, or a name that stands for a type.
Declared = ast.ClassDef | ast.Assign | ast.AnnAssign


@dataclass(frozen=True)
class Module:
    """One file: where it lies below the checkout's root, and its text."""

    path: Path
    text: str

    @property
    def name(self) -> str:
        """Return its dotted name: `tandem.spec.run`; a package's is its folder's."""
        parts = self.path.with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def package(self) -> str:
        """Return the dotted name that its relative imports start from."""
        return ".".join(self.path.parent.parts)

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, filename=str(self.path))

    @cached_property
    def lines(self) -> Sequence[str]:
        return self.text.splitlines()

    def at(self, node: ast.AST) -> str:
        """Return `file:line` of a node, as an editor opens it."""
        return f"{self.path}:{getattr(node, 'lineno', 1)}"


def read(root: Path, *folders: str) -> list[Module]:
    """Return the Python files below some folders of a checkout, in the order of their paths."""
    return [
        Module(path.relative_to(root), path.read_text(encoding="utf-8"))
        for folder in folders
        for path in sorted((root / folder).rglob("*.py"))
    ]


def functions(module: Module) -> Iterator[Function]:
    """Give its functions and methods, nested ones too."""
    for node in ast.walk(module.tree):
        if isinstance(node, Function):
            yield node


def docstrings(module: Module) -> Iterator[tuple[ast.Expr, str]]:
    """Give each bare string, as node and text: docstrings, and those below a field."""
    for node in ast.walk(module.tree):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            yield node, node.value.value


def comment_lines(module: Module) -> int:
    """Count the lines with a comment; what is said to a linter alone is none."""
    return len(
        {
            token.start[0]
            for token in tokenize.generate_tokens(io.StringIO(module.text).readline)
            if token.type == tokenize.COMMENT and not token.string.startswith(PRAGMAS)
        }
    )


def code_lines(module: Module) -> int:
    """Count the lines with code: neither empty, nor of a docstring, nor of comments alone."""
    described = {
        number
        for node, _ in docstrings(module)
        for number in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    return sum(
        bool(line.strip()) and not line.lstrip().startswith("#") and number not in described
        for number, line in enumerate(module.lines, 1)
    )


def declarations(module: Module) -> Iterator[tuple[str, Declared]]:
    """Give the classes and type aliases that a module declares at its top, by name."""
    for node in module.tree.body:
        if isinstance(node, ast.ClassDef):
            yield node.name, node
        elif isinstance(node, ast.AnnAssign) and _is_alias(node.annotation):
            yield ast.unparse(node.target), node
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if _is_type_name(name) and _is_type(node.value):
                yield name, node


def _is_alias(annotation: ast.expr) -> bool:
    return ast.unparse(annotation).endswith("TypeAlias")


def _is_type_name(name: str) -> bool:
    """Return whether a name is written as a class's is: `Rows`, `_Rows`, but not `ROWS`."""
    bare = name.lstrip("_")
    return bare[:1].isupper() and (len(bare) == 1 or not bare.isupper())


def _is_type(value: ast.expr) -> bool:
    """Return whether an expression can stand for a type: a name, `a[b]`, `a | b`, a TypedDict.

    A type variable is none: each module has its own `T`.
    """
    if isinstance(value, ast.Call):
        return ast.unparse(value.func).rsplit(".", 1)[-1] in {"TypedDict", "NamedTuple", "NewType"}
    return isinstance(value, ast.Name | ast.Attribute | ast.Subscript) or (
        isinstance(value, ast.BinOp) and isinstance(value.op, ast.BitOr)
    )
