"""The packages that do the work: their versions, and under which licence they come."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageMetadata, PackageNotFoundError, metadata

from tandem.server.system.schemas import Licence

MAIN = (
    "tandem-distill", "torch", "torchvision", "transformers", "accelerate", "peft", "timm",
    "segmentation-models-pytorch", "ultralytics", "bitsandbytes", "safetensors", "tokenizers",
    "onnx", "onnxruntime", "numpy", "pillow", "av", "scikit-learn", "pycocotools", "tensorboard",
    "fastapi", "uvicorn", "starlette", "pydantic", "sqlalchemy", "alembic", "httpx", "typer",
)  # fmt: skip
MOST_LETTERS = 120
_PREFERRED = ("homepage", "home", "source", "repository")


@cache
def licences() -> tuple[Licence, ...]:
    """The licences of what is installed, as its own metadata says them; nothing is imported."""
    return tuple(_found())


def _found() -> Iterator[Licence]:
    for name in MAIN:
        try:
            known = metadata(name)
        except PackageNotFoundError:
            continue
        yield Licence(
            name=name, version=known["Version"], licence=_licence(known), url=_address(known)
        )


def _licence(known: PackageMetadata) -> str:
    """An SPDX expression where there is one, else the classifier, else the first line."""
    expression = _first(known, "License-Expression")
    if expression:
        return expression[:MOST_LETTERS]
    classifiers = [
        one.rpartition(" :: ")[2]
        for one in known.get_all("Classifier") or ()
        if one.startswith("License ::") and " :: " in one.removeprefix("License :: ")
    ]
    lines = (_first(known, "License") or "").strip().splitlines()
    return (classifiers or lines or ["-"])[0][:MOST_LETTERS]


def _first(known: PackageMetadata, field: str) -> str | None:
    found = known.get_all(field)
    return str(found[0]) if found else None


def _address(known: PackageMetadata) -> str | None:
    pairs = [one.split(",", 1) for one in known.get_all("Project-URL") or () if "," in one]
    addresses = {name.strip().lower(): address.strip() for name, address in pairs}
    found = next((addresses[name] for name in _PREFERRED if name in addresses), None)
    found = found or _first(known, "Home-page")
    return found if found and found.startswith(("https://", "http://")) else None
