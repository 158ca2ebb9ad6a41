"""The description of the service without the names of its schemas: what each operation takes and
gives, by the names of the properties."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

METHODS = ("get", "post", "put", "patch", "delete")


def operations(described: dict[str, Any]) -> dict[str, list[str]]:
    """`GET /path`: its parameters, the fields of its body and of its good answers."""
    schemas = described["components"]["schemas"]
    found = {}
    for path, item in described["paths"].items():
        for method in METHODS:
            if method in item:
                found[f"{method.upper()} {path}"] = sorted(set(_parts(item[method], schemas)))
    return found


def _parts(operation: dict[str, Any], schemas: dict[str, Any]) -> Iterator[str]:
    for one in operation.get("parameters", ()):
        yield f"{one['in']} {one['name']}"
    contents = {"takes": operation.get("requestBody", {}).get("content", {})}
    for status, answer in operation["responses"].items():
        if status.startswith("2"):
            contents[f"gives {status}"] = answer.get("content", {})
    for what, content in contents.items():
        for media, held in content.items():
            yield f"{what} {media}"
            for name in _fields(held.get("schema", {}), schemas, ()):
                yield f"{what} {name}"


def _fields(
    schema: dict[str, Any], schemas: dict[str, Any], inside: tuple[str, ...]
) -> Iterator[str]:
    """Dotted names; a schema within itself is not entered again."""
    reference = schema.get("$ref", "").rpartition("/")[2]
    if reference:
        if reference not in inside:
            yield from _fields(schemas[reference], schemas, (*inside, reference))
        return
    for part in ("anyOf", "oneOf", "allOf"):
        for one in schema.get(part, ()):
            yield from _fields(one, schemas, inside)
    if "items" in schema:
        yield from _fields(schema["items"], schemas, inside)
    for name, held in schema.get("properties", {}).items():
        yield name
        yield from (f"{name}.{below}" for below in _fields(held, schemas, inside))
