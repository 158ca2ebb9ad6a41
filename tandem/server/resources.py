"""Which resources there are: every folder here that has a file of routes is one.

A resource's `routes.py` is its part of `/api/v1`, `compat_distillation.py` what installed clients
ask of it below `/model-distillation`; each has a `router`, and either file may be missing.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from fastapi import APIRouter

SURFACES = {"routes": "/api/v1", "compat_distillation": "/model-distillation"}
"""By the file's name: the address that its router is below."""
HERE = Path(__file__).parent


def routers() -> Iterator[tuple[APIRouter, str]]:
    """Each router and its prefix, in the order of the folders' names.

    The order decides nothing: no two resources answer the same address, which a test holds.
    """
    for folder in pkgutil.iter_modules([str(HERE)]):
        files = {file.name for file in pkgutil.iter_modules([str(HERE / folder.name)])}
        # Looked for by name and not tried: a file whose own imports fail must not pass unseen.
        for name in sorted(files & SURFACES.keys()):
            router = import_module(f"{__package__}.{folder.name}.{name}").router
            assert isinstance(router, APIRouter), f"{folder.name}/{name}.py has no router"
            # Plain training's names its own address, /api/training.
            yield router, "" if router.prefix else SURFACES[name]
