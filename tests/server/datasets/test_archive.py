"""Hostile archives one by one: each refused in a sentence, and nothing is left of it."""

from __future__ import annotations

import stat
import struct
import warnings
import zipfile
from pathlib import Path

import pytest

from tandem.data.archive import Limits, unpack
from tandem.spec.errors import DataError
from tests.server.datasets.archives import shapes_zip, zip_of


def unpacked(folder: Path, archive: bytes, **limits: float) -> Path:
    file = folder / "sent.zip"
    file.write_bytes(archive)
    unpack(file, folder / "out", Limits(**limits))  # type: ignore[arg-type]
    return folder / "out"


def files(folder: Path) -> list[str]:
    return sorted(str(one.relative_to(folder)) for one in folder.rglob("*") if one.is_file())


def special(name: str, kind: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (kind | 0o644) << 16
    return info


def encrypted() -> bytes:
    data = bytearray(zip_of(("a.txt", b"secret")))
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + at] |= 1
    return bytes(data)


def lying() -> bytes:
    """It says that its file has 10 bytes; it has 100,000."""
    data = bytearray(zip_of(("a.txt", b"x" * 100_000)))
    for signature, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        start = data.index(signature) + at
        data[start : start + 4] = struct.pack("<I", 10)
    return bytes(data)


def damaged() -> bytes:
    data = bytearray(zip_of(("a.txt", bytes(range(256)) * 40), deflated=False))
    data[200] ^= 0xFF
    return bytes(data)


HOSTILE = {
    "climbs": (lambda: zip_of(("a.txt", b"1"), ("../out.txt", b"1")), "outside"),
    "climbs deep": (lambda: zip_of(("a/../../out.txt", b"1")), "outside"),
    "backslashes": (lambda: zip_of(("..\\out.txt", b"1")), "outside"),
    "absolute": (lambda: zip_of(("/etc/out.txt", b"1")), "outside"),
    "drive": (lambda: zip_of(("C:\\out.txt", b"1")), "outside"),
    "link": (lambda: zip_of((special("a", stat.S_IFLNK), b"/etc/passwd")), "a link"),
    "device": (lambda: zip_of((special("a", stat.S_IFCHR), b"")), "a device"),
    "pipe": (lambda: zip_of((special("a", stat.S_IFIFO), b"")), "a device or a pipe"),
    "twins": (lambda: zip_of(("a.txt", b"1"), ("a.txt", b"2")), "two files of one name"),
    "twins by case": (lambda: zip_of(("A.txt", b"1"), ("a.TXT", b"2")), "two files of one name"),
    "file and folder": (lambda: zip_of(("a", b"1"), ("a/b.txt", b"2")), "a file and a folder"),
    "bomb": (lambda: zip_of(("a.txt", bytes(30 * 2**20))), "bomb"),
    "encrypted": (encrypted, "encrypted"),
    "lying": (lying, "larger or smaller|damaged|no whole ZIP"),
    "damaged": (damaged, "no whole ZIP|damaged"),
    "cut": (lambda: zip_of(("a.txt", b"1" * 500))[:-30], "no whole ZIP"),
    "no archive": (lambda: b"GIF89a" * 10, "no whole ZIP"),
    "empty": (lambda: zip_of(), "no file"),
    "only rubbish": (lambda: zip_of(("__MACOSX/._a.jpg", b"1")), "no file"),
    "long name": (lambda: zip_of(("n" * 300 + ".txt", b"1")), "too long"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_leaves_nothing(name: str, tmp_path: Path):
    make, sentence = HOSTILE[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile's own, of twins
        archive = make()
    with pytest.raises(DataError, match=sentence):
        unpacked(tmp_path, archive)
    assert files(tmp_path) == ["sent.zip"]
    assert [one.name for one in tmp_path.iterdir()] == ["sent.zip"]


@pytest.mark.parametrize(("limits", "sentence"), [({"files": 2}, "files"), ({"bytes": 5}, "bytes")])
def test_limits_hold(limits: dict[str, float], sentence: str, tmp_path: Path):
    archive = zip_of(("a.txt", b"123"), ("b.txt", b"123"), ("c.txt", b"123"))
    with pytest.raises(DataError, match=sentence):
        unpacked(tmp_path, archive, **limits)
    assert files(tmp_path) == ["sent.zip"]


def test_a_single_folder_around_everything_is_taken_off(tmp_path: Path):
    archive = shapes_zip(tmp_path / "made", inside="my data/")
    archive_files = files(unpacked(tmp_path, archive))
    assert "train/circle/0.png" in archive_files
    assert len(archive_files) == 18


def test_a_layout_of_one_split_is_not_taken_off(tmp_path: Path):
    out = unpacked(tmp_path, zip_of(("train/cat/1.jpg", b"1"), ("train/dog/1.jpg", b"1")))
    assert files(out) == ["train/cat/1.jpg", "train/dog/1.jpg"]


def test_what_a_mac_adds_is_left_out(tmp_path: Path):
    archive = zip_of(
        ("d/train/a/1.jpg", b"1"), ("__MACOSX/d/._1.jpg", b"1"), ("d/.DS_Store", b"1"),
        ("d/train/b/1.jpg", b"1"),
    )  # fmt: skip
    assert files(unpacked(tmp_path, archive)) == ["train/a/1.jpg", "train/b/1.jpg"]


def test_names_in_gbk_are_read(tmp_path: Path):
    """As Windows in China packs them: GBK bytes, and no flag that says which."""
    names = ["猫/图片.jpg", "安全帽/第一张.jpg"]  # the first one's bytes would pass for UTF-8
    archive = zip_of(
        *(
            (letter * len(name.encode("gbk")), b"1")
            for letter, name in zip("QZ", names, strict=True)
        )
    )
    for letter, name in zip(b"QZ", names, strict=True):
        raw = name.encode("gbk")
        archive = archive.replace(bytes([letter]) * len(raw), raw)
    assert files(unpacked(tmp_path, archive)) == sorted(names)
