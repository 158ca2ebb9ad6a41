"""A ZIP's directory: counted before it is read, its names as they were meant."""

from __future__ import annotations

import io
import struct
import unicodedata
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path

import pytest

from benchmarks.zip_directory import write
from tandem.data.archive import Limits, unpack
from tandem.data.zip_file import Member, ZipArchive
from tandem.spec.errors import DataError
from tests.server.datasets.archives import zip_of


def names(folder: Path, archive: bytes) -> list[str]:
    (folder / "a.zip").write_bytes(archive)
    with ZipArchive(folder / "a.zip") as opened:
        return [one.name for one in opened.members()]


def raw_named(*names: bytes, flag: bool = False) -> bytes:
    """An archive whose names are these bytes."""
    letters = [chr(ord("A") + number) * len(name) for number, name in enumerate(names)]
    archive = zip_of(*((one, b"1") for one in letters))
    for letter, name in zip(letters, names, strict=True):
        archive = archive.replace(letter.encode(), name)
    if flag:
        archive = archive.replace(b"PK\1\2\x14\x03\x14\0\0\0", b"PK\1\2\x14\x03\x14\0\0\x08")
    return archive


@pytest.mark.parametrize("told", [2_000_000, 70_000])
def test_too_many_are_refused_by_the_end_record_alone(told: int, tmp_path: Path) -> None:
    file = write(tmp_path / "a.zip", 3, told)  # its directory is another, and is never looked at
    with pytest.raises(DataError, match=f"holds {told} files, more than 60000"):
        unpack(file, tmp_path / "out", Limits(files=60_000))


def test_who_tells_fewer_is_counted_and_no_further_than_the_limit(tmp_path: Path) -> None:
    file = write(tmp_path / "a.zip", 5000, 10)
    with pytest.raises(DataError, match="holds 1001 files, more than 1000"):
        ZipArchive(file, 1000)
    with pytest.raises(DataError, match="another number of files than its directory lists"):
        ZipArchive(file)


def test_a_count_that_has_gone_round_at_16_bits_is_taken(tmp_path: Path) -> None:
    """As macOS packs more than 65,535 files."""
    with ZipArchive(write(tmp_path / "a.zip", 65_536 + 9, 9)) as opened:
        assert sum(1 for _ in opened.members()) == 65_536 + 9


def test_an_archive_in_zip64_with_a_comment_behind_a_program(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.comment = b"PK\5\6 is no end"
        with archive.open("a/b.txt", "w", force_zip64=True) as file:
            file.write(b"text" * 1000)
        archive.writestr("a/c.txt", b"")
    (tmp_path / "a.zip").write_bytes(b"#!/bin/sh\n" * 9 + out.getvalue())
    assert unpack(tmp_path / "a.zip", tmp_path / "out") == 2
    assert (tmp_path / "out" / "b.txt").read_bytes() == b"text" * 1000
    assert (tmp_path / "out" / "c.txt").read_bytes() == b""
    wide = write(tmp_path / "wide.zip", 66_000, 66_000)
    with ZipArchive(wide) as opened:
        assert next(opened.members()).name == "t/c/0000000"


def test_an_archive_that_is_zip64_without_need(tmp_path: Path) -> None:
    """As PyTorch writes its own."""
    plain = zip_of(("a.txt", b"1"), ("b.txt", b"22"))
    at = plain.index(b"PK\5\6")
    *_, count, size, begins, _ = struct.unpack("<4s4H2LH", plain[at:])
    wide = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, begins)
    place = struct.pack("<4sLQL", b"PK\6\7", 0, at, 1)
    assert names(tmp_path, plain[:at] + wide + place + plain[at:]) == ["a.txt", "b.txt"]


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (raw_named("图片/第一张.png".encode("gbk")), ["图片/第一张.png"]),
        (raw_named("图片/第一张.png".encode()), ["图片/第一张.png"]),
        (raw_named("猫.png".encode("gbk"), "安全帽.png".encode("gbk")), ["猫.png", "安全帽.png"]),
        (raw_named(b"pics\\deep\\a.png"), ["pics/deep/a.png"]),
        (raw_named(b"pics\\", b"pics\\a.png"), ["pics/a.png"]),
        (raw_named("é/é.png".encode()), ["é/é.png"]),
        (raw_named(unicodedata.normalize("NFD", "é/é.png").encode()), ["é/é.png"]),
        (raw_named(b"./a//b.png"), ["a/b.png"]),
        (zip_of(("__MACOSX/d/._a.png", b"1"), ("d/._a.png", b"1"), ("d/.DS_Store", b"1"),
                ("d/a.png", b"1"), ("Thumbs.db", b"1")), ["d/a.png"]),
    ],
)  # fmt: skip
def test_names_are_those_that_were_meant(given: bytes, meant: list[str], tmp_path: Path) -> None:
    assert names(tmp_path, given) == meant


def test_info_zips_name_in_utf8_is_taken_while_it_is_that_of_the_entry(tmp_path: Path) -> None:
    for crc, meant in ((zlib.crc32(b"x.png"), "图.png"), (0, "x.png")):
        info = zipfile.ZipInfo("x.png")
        told = struct.pack("<BL", 1, crc) + "图.png".encode()
        info.extra = struct.pack("<2H", 0x7075, len(told)) + told
        assert names(tmp_path, zip_of((info, b"1"))) == [meant]


def test_files_that_share_their_bytes_are_a_bomb(tmp_path: Path) -> None:
    content = bytes(range(256)) * 100
    archive = bytearray(zip_of(*((f"{n}.txt", content) for n in range(9)), deflated=False))
    directory = archive.index(b"PK\1\2")
    kept, place = archive[: archive.index(b"PK\3\4", 4)], directory
    entries = archive[directory : archive.index(b"PK\5\6")]
    for _ in range(9):
        at = entries.index(b"PK\1\2", place - directory)
        entries[at + 42 : at + 46] = bytes(4)
        place = directory + at + 1
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 9, 9, len(entries), len(kept), 0)
    (tmp_path / "a.zip").write_bytes(bytes(kept + entries) + end)
    with pytest.raises(DataError, match="bomb"):
        unpack(tmp_path / "a.zip", tmp_path / "out")


@pytest.mark.parametrize("size", [100, 3 * 2**20])
def test_what_is_read_is_what_was_packed(size: int, tmp_path: Path) -> None:
    content = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    for deflated in (True, False):
        (tmp_path / "a.zip").write_bytes(zip_of(("a.bin", content), deflated=deflated))
        with ZipArchive(tmp_path / "a.zip") as opened:
            member = opened.find("a.bin")
            assert member is not None
            assert opened.read(member) == content
            for wrong in ({"size": size - 1}, {"size": size + 1}, {"crc": 1}, {"at": 7}):
                given = {name: getattr(member, name) for name in Member.__slots__} | wrong
                with pytest.raises(DataError):
                    opened.read(Member(**given))
            assert opened.find("b.bin") is None


def test_every_cut_and_every_odd_byte_is_refused_in_words_or_read(tmp_path: Path) -> None:
    whole = zip_of(("train/a.txt", b"1" * 500), ("train/b.txt", b"2" * 9))
    file = tmp_path / "a.zip"
    for place in range(0, len(whole), 3):
        for changed in (whole[:place], whole[:place] + b"\xff" + whole[place + 1 :]):
            file.write_bytes(changed)
            with suppress(DataError):
                unpack(file, tmp_path / f"out{place}")
