"""ZIPs for tests: sound ones and hostile ones."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from tests.conftest import make_shapes


def zip_of(*files: tuple[str | zipfile.ZipInfo, bytes], deflated: bool = True) -> bytes:
    """An archive of these names and contents, twins and all."""
    out = io.BytesIO()
    method = zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return out.getvalue()


def shapes_zip(folder: Path, *, inside: str = "", seed: int = 0) -> bytes:
    """A small image classification data set, at the root or inside one folder."""
    made = make_shapes(folder, train=4, val=2, seed=seed)
    files = sorted(one for one in made.rglob("*.png"))
    return zip_of(*((f"{inside}{one.relative_to(made)}", one.read_bytes()) for one in files))
