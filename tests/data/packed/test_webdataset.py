"""Tar files of pictures and labels beside each other."""

from __future__ import annotations

import errno
import io
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tandem.data.inspection.check import report
from tandem.data.writing import convert
from tandem.spec.errors import DiskFullError
from tests.data import make
from tests.data.packed.test_torchvision_sets import content


def jpeg(seed: int) -> bytes:
    out = io.BytesIO()
    ground = np.random.default_rng(seed).integers(0, 255, (30, 40, 3), np.uint8)
    Image.fromarray(ground).save(out, "JPEG")
    return out.getvalue()


def tar(file: Path, members: dict[str, bytes | None]) -> Path:
    """None: a link."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(file, "w") as out:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            if data is None:
                info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
            info.size = len(data or b"")
            out.addfile(info, io.BytesIO(data or b""))
    return file


def labelled(root: Path) -> Path:
    tar(root / "train-000000.tar", {"a/1.jpg": jpeg(1), "a/1.cls": b"1", "b/1.jpg": jpeg(2),
                                    "b/1.cls": b"0"})  # fmt: skip
    tar(root / "train-000001.tar", {"2.json": b'{"label": 1}', "2.jpg": jpeg(3)})
    tar(root / "val-000000.tar", {"9.JPEG": jpeg(4), "9.cls": b"0", "8.jpg": jpeg(5),
                                  "8.cls": b"1"})  # fmt: skip
    return root


def test_images_and_labels_of_every_tar_are_read(tmp_path: Path) -> None:
    found, faults = content(labelled(tmp_path))
    assert (found.format, found.kind, found.classes, faults) == (
        "webdataset", "classification", ("0", "1"), [])  # fmt: skip
    assert [one.label for one in found.train] == [1, 0, 1]
    assert [one.label for one in found.val or []] == [0, 1]
    assert found.path(found.train[1]).read_bytes() == jpeg(2)
    assert report(tmp_path).ok


def test_classes_txt_names_the_numbers(tmp_path: Path) -> None:
    make.write(labelled(tmp_path) / "classes.txt", "cat\ndog\n")
    found, faults = content(tmp_path)
    assert (found.classes, faults) == (("cat", "dog"), [])
    assert [one.label for one in found.train] == [1, 0, 1]


def test_captions_are_read_where_there_is_no_label(tmp_path: Path) -> None:
    tar(tmp_path / "one/train/0.tar", {"1.png": jpeg(1), "1.txt": "a 猫\n".encode()})
    tar(tmp_path / "one/test/0.tar", {"2.png": jpeg(2), "2.json": b'{"caption": "a dog"}'})
    found, faults = content(tmp_path / "one")
    assert (found.kind, faults) == ("caption", [])
    assert found.train[0].text == "a 猫"
    said = convert.convert(tmp_path / "one", tmp_path / "two", "caption")
    assert said.items == {"train": 1, "test": 1}


@pytest.mark.parametrize(("members", "match"), [
    ({"1.cls": b"0"}, "no picture with 1"), ({"1.jpg": b"no", "1.cls": b"0"}, "no picture that"),
    ({"1.jpg": jpeg(1), "1.json": b"{"}, "no JSON"), ({"1.jpg": None}, "no picture with 1"),
    ({"1.jpg": jpeg(1), "1.cls": b"-1"}, "no class -1"),
    ({"1.jpg": jpeg(1), "1.png": jpeg(2)}, "several pictures"),
    ({"1.jpg": jpeg(1), "1.json": b'{"label": 1.5}'}, "no whole number"),
])  # fmt: skip
def test_what_is_wrong_is_told(
    members: dict[str, bytes | None], match: str, tmp_path: Path
) -> None:
    tar(tmp_path / "train-0.tar", {"0.jpg": jpeg(0), "0.cls": b"0", **members})
    said = report(tmp_path)
    assert not said.ok
    assert any(match in one.sentence() for one in said.faults), said.faults
    assert all(one.file == "train-0.tar" for one in said.faults)


def test_what_is_not_read_is_told(tmp_path: Path) -> None:
    members = {"0.jpg": jpeg(0), "0.cls": b"0", "0.npy": b"x", "link.jpg": None}
    tar(tmp_path / "shards-0.tar", members)
    said = report(tmp_path)
    assert any(".npy of 0 is not read" in one.sentence() for one in said.faults)
    assert any("read as train" in one for one in said.notes)


def test_a_tar_that_is_cut_short_is_told(tmp_path: Path) -> None:
    file = labelled(tmp_path) / "train-000000.tar"
    file.write_bytes(file.read_bytes()[:700])
    assert any(one.file == file.name for one in report(tmp_path).faults)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_without_room_and_a_quota_are_told_as_such(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_file: Path, _data: bytes) -> int:
        raise OSError(number, os.strerror(number))

    labelled(tmp_path)
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DiskFullError, match="cannot be taken out"):
        content(tmp_path)
