"""ZIPs of data sets, whole and hostile."""

from __future__ import annotations

import io
import stat
import zipfile
from pathlib import Path

from tests.conftest import make_shapes


def of_folder(folder: Path, inside: str = "") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, inside + file.relative_to(folder).as_posix())
    return out.getvalue()


def shapes(folder: Path, inside: str = "", **counts: int) -> bytes:
    return of_folder(make_shapes(folder, **(counts or {"train": 2, "val": 1})), inside)


def of_names(*names: str, content: bytes = b"x") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, content)
    return out.getvalue()


def with_kind(name: str, kind: int) -> bytes:
    """One entry that says it is a link, a device, …"""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        info = zipfile.ZipInfo(name)
        info.create_system, info.external_attr = 3, (kind | 0o644) << 16
        archive.writestr(info, "/etc/passwd")
    return out.getvalue()


HOSTILE = {
    "climbs": of_names("a/../../b.png"),
    "absolute": of_names("/etc/passwd"),
    "backslash": of_names("..\\..\\b.png"),
    "drive": of_names("C:/b.png"),
    "link": with_kind("train/a/b.png", stat.S_IFLNK),
    "device": with_kind("train/a/b.png", stat.S_IFCHR),
    "twins": of_names("train/a/B.png", "train/a/b.png"),
    "file and folder": of_names("train/a", "train/a/b.png"),
    "empty": of_names(),
    "no zip": b"PK\x03\x04 this is none",
    "cut": of_names("train/a/b.png", content=b"y" * 5000)[:2000],
}


def bomb(megabytes: int = 64) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("train/a/b.png", b"\0" * megabytes * 2**20)
    return out.getvalue()


def lying(name: str = "train/a/b.png") -> bytes:
    """Says it holds 10 bytes, and holds 5,000."""
    whole = bytearray(of_names(name, content=b"z" * 5000))
    size = (5000).to_bytes(4, "little")
    return bytes(whole).replace(size, (10).to_bytes(4, "little"))
