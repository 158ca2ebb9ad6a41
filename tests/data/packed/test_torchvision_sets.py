"""CIFAR and MNIST as torchvision leaves them; their pickles run nothing."""

from __future__ import annotations

import gzip
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tandem.data.content import Content
from tandem.data.faults import Faults
from tandem.data.inspection.check import report
from tandem.data.reading.packed import safe_pickle
from tandem.data.reading.packed.unpacked import FOLDER
from tandem.data.registry import find, read
from tandem.data.writing import convert, split
from tandem.spec.errors import DataError, DiskFullError
from tandem.spec.run import DataSpec
from tandem.train.data import classification
from tandem.train.types import SilentProgress

CLASSES = ("plane", "car")


def pixels(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (count, 3072), np.uint8)


def cifar10(root: Path, *, each: int = 4) -> Path:
    folder = root / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    (folder / "batches.meta").write_bytes(pickle.dumps({b"label_names": list(CLASSES)}, 2))
    for number, name in enumerate([*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"]):
        batch = {"data": pixels(each, number), "labels": [n % 2 for n in range(each)],
                 "filenames": [f"{n}.png" for n in range(each)]}  # fmt: skip
        (folder / name).write_bytes(pickle.dumps(batch, 2))
    return root


def idx(images: np.ndarray, labels: np.ndarray) -> tuple[bytes, bytes]:
    sizes = b"".join(n.to_bytes(4) for n in images.shape)
    return (bytes([0, 0, 8, 3]) + sizes + images.tobytes(),
            bytes([0, 0, 8, 1]) + len(labels).to_bytes(4) + labels.tobytes())  # fmt: skip


def mnist(root: Path, *, zipped: bool = False, prefix: str = "") -> Path:
    folder = root / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for name, count in (("train", 6), ("t10k", 4)):
        images = np.random.default_rng(count).integers(0, 255, (count, 7, 5), np.uint8)
        labels = (np.arange(count) % 2 + 3).astype(np.uint8)
        for what, data in zip(("images-idx3", "labels-idx1"), idx(images, labels), strict=True):
            file = folder / f"{prefix}{name}-{what}-ubyte{'.gz' if zipped else ''}"
            file.write_bytes(gzip.compress(data) if zipped else data)
    return root


def content(path: Path) -> tuple[Content, list[str]]:
    faults = Faults()
    found = read(path, faults)
    return found, [one.sentence() for one in faults.found]


def image(found: Content, row: int) -> np.ndarray:
    with Image.open(found.path(found.train[row])) as opened:
        return np.asarray(opened)


@pytest.mark.parametrize("below", ["", "cifar-10-batches-py"])
def test_cifar_is_read_pixel_by_pixel(below: str, tmp_path: Path) -> None:
    found, faults = content(cifar10(tmp_path) / below)
    assert (found.format, found.classes, faults) == ("torchvision", CLASSES, [])
    assert {name: len(items) for name, items in found.splits()} == {"train": 20, "test": 4}
    assert [one.label for one in found.train[:4]] == [0, 1, 0, 1]
    assert np.array_equal(image(found, 1), pixels(4, 0)[1].reshape(3, 32, 32).transpose(1, 2, 0))
    assert any(FOLDER in one for one in found.notes)


def test_cifar_100_has_its_fine_labels(tmp_path: Path) -> None:
    folder = tmp_path / "cifar-100-python"
    folder.mkdir()
    meta = {"fine_label_names": ["a", "b"], "coarse_label_names": ["c"]}
    (folder / "meta").write_bytes(pickle.dumps(meta, 2))
    for name in ("train", "test"):
        batch = {"data": pixels(2, 1), "fine_labels": [1, 0], "coarse_labels": [0, 0]}
        (folder / name).write_bytes(pickle.dumps(batch, 4))
    found, faults = content(tmp_path)
    assert (found.classes, faults) == (("a", "b"), [])
    assert [one.label for one in found.train] == [1, 0]


@pytest.mark.parametrize("zipped", [False, True])
def test_mnist_is_read_as_it_lies(zipped: bool, tmp_path: Path) -> None:
    found, faults = content(mnist(tmp_path, zipped=zipped))
    assert (found.classes, faults) == (("3", "4"), [])
    assert {name: len(items) for name, items in found.splits()} == {"train": 6, "test": 4}
    expected = np.random.default_rng(6).integers(0, 255, (6, 7, 5), np.uint8)
    assert np.array_equal(image(found, 5), expected[5])


def test_emnist_is_put_upright(tmp_path: Path) -> None:
    found, _ = content(mnist(tmp_path, prefix="emnist-letters-"))
    expected = np.random.default_rng(6).integers(0, 255, (6, 7, 5), np.uint8)
    assert np.array_equal(image(found, 0), expected[0].T)
    assert any("upright" in one for one in found.notes)


def test_they_are_taken_out_once_and_again_when_a_file_changes(tmp_path: Path) -> None:
    cifar10(tmp_path)
    first = content(tmp_path)[0].train[0].name
    kept = (tmp_path / first).stat().st_ino
    assert (tmp_path / content(tmp_path)[0].train[0].name).stat().st_ino == kept
    batch = {"data": pixels(2, 9), "labels": [0, 1]}
    (tmp_path / "cifar-10-batches-py/test_batch").write_bytes(pickle.dumps(batch, 2))
    again, _ = content(tmp_path)
    assert again.train[0].name != first
    assert len(again.test or []) == 2


def test_it_is_checked_converted_split_and_learnt_from(tmp_path: Path) -> None:
    cifar10(tmp_path / "data")
    assert report(tmp_path / "data").ok
    said = convert.convert(tmp_path / "data", tmp_path / "folders", "classification")
    assert said.items == {"train": 20, "test": 4}
    assert len(list((tmp_path / "folders/train/car").iterdir())) == 10
    assert split.split(tmp_path / "data", 0.2, 0, tmp_path / "new").format == "classification"
    spec = DataSpec(dataset=str(tmp_path / "data"))
    tables = classification.read(spec, index_root=None, progress=SilentProgress())
    assert len(tables.train) + len(tables.val) == 20
    with pytest.raises(DataError, match="read, not written"):
        convert.convert(tmp_path / "folders", tmp_path / "no", "torchvision")
    with pytest.raises(DataError, match="read, not written"):
        find("torchvision").make().writer(tmp_path, (), "classification")


class Evil:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> object:
        return Path.touch, (self.target,)


def test_a_pickle_runs_nothing(tmp_path: Path) -> None:
    cifar10(tmp_path / "data")
    batch = tmp_path / "data/cifar-10-batches-py/data_batch_2"
    batch.write_bytes(pickle.dumps({"data": Evil(tmp_path / "ran"), "labels": [0]}, 2))
    _, faults = content(tmp_path / "data")
    assert not (tmp_path / "ran").exists()
    assert len(faults) == 1
    assert "data_batch_2" in faults[0]
    assert "read safely" in faults[0]


@pytest.mark.parametrize("data", [
    b"", b"garbage", b"\x80\x02}", b"cos\nsystem\n(S'true'\ntR.", b"\x80\x02]r\xff\xff\xff\x7f.",
    b"\x80\x05\x96\xff\xff\xff\xff\xff\x00\x00\x00.", b"cnumpy\nndarray\nN}S'a'\nI1\ns\x86b.",
    b"I1\n.", b"(" * 100_000 + b"t" * 100_000 + b".",
])  # fmt: skip
def test_what_is_no_plain_dict_is_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(DataError, match="read safely"):
        safe_pickle.plain_dict(tmp_path / "a")


@pytest.mark.parametrize(("broken", "match"), [
    ({"labels": [0, 1, 2, 0]}, "there is no class 2"), ({"labels": [0]}, "4 pictures, but 1"),
    ({"labels": ["x"] * 4}, "numbers"), ({"data": b"x"}, "no array"),
    ({"data": np.zeros((4, 3072))}, "not of bytes"), ({"data": np.zeros((4, 7), np.uint8)}, "32"),
])  # fmt: skip
def test_a_batch_that_is_wrong_is_told_by_its_file(
    broken: dict[str, object], match: str, tmp_path: Path
) -> None:
    cifar10(tmp_path)
    batch = {"data": pixels(4, 0), "labels": [0, 1, 0, 1]} | broken
    (tmp_path / "cifar-10-batches-py/data_batch_3").write_bytes(pickle.dumps(batch, 2))
    said = report(tmp_path)
    assert not said.ok
    assert "data_batch_3" in said.faults[0].file
    assert match in said.faults[0].sentence()


def test_an_idx_file_is_as_long_as_it_says(tmp_path: Path) -> None:
    mnist(tmp_path)
    file = tmp_path / "MNIST/raw/train-images-idx3-ubyte"
    whole = file.read_bytes()
    for data in (whole[:-1], whole + b"x", b"\0\0\x0d\3" + whole[4:],
                 whole[:4] + b"\xff\xff\xff\xff" + whole[8:]):  # fmt: skip
        file.write_bytes(data)
        said = report(tmp_path)
        assert not said.ok
        assert any("train-images" in one.file for one in said.faults)


def test_a_folder_that_cannot_be_written_is_refused_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cifar10(tmp_path)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DiskFullError):
        read(tmp_path, Faults())
    assert not list((tmp_path / FOLDER).iterdir())
