"""What torchvision downloads: CIFAR-10 and -100, and MNIST with those of its form (`*-ubyte`)."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from tandem.data.content import Content
from tandem.data.faults import Faults
from tandem.data.reading.folder_listing import FolderListing
from tandem.data.reading.packed import safe_pickle, unpacked
from tandem.data.reading.packed.unpacked import Unpacking
from tandem.data.reading.walk import Walk
from tandem.data.registry import Writer, not_written, register
from tandem.spec.errors import DataError
from tandem.spec.i18n import t

CIFAR_SIDE = 32
CIFAR: dict[str, dict[str, list[str]]] = {
    "cifar-10-batches-py": {
        "train": [f"data_batch_{number}" for number in range(1, 6)], "test": ["test_batch"],
    },
    "cifar-100-python": {"train": ["train"], "test": ["test"]},
}  # fmt: skip
META = {"cifar-10-batches-py": "batches.meta", "cifar-100-python": "meta"}
IDX_SETS = ("MNIST", "FashionMNIST", "KMNIST", "EMNIST", "QMNIST")
IDX_SPLITS = {"train": "train", "t10k": "test", "test": "test"}
IMAGES, LABELS = "images-idx3-ubyte", "labels-idx1-ubyte"
LARGEST_SIDE, MOST_IMAGES = 4096, 10_000_000


@register.format(
    "torchvision",
    files="cifar-10-batches-py/*, cifar-100-python/*, MNIST/raw/*-ubyte[.gz]",
    kinds={"classification"},
    holds={"label"},
    packed=True,
    zh="torchvision 下载的数据集：CIFAR-10、CIFAR-100、MNIST 及同样格式的数据集。",
    zh_more={
        "there are {images} pictures, but {labels} labels": "有 {images} 张图片，{labels} 个标签"
    },
)
class TorchvisionSets:
    """Data sets as torchvision downloads them: CIFAR-10 and -100, MNIST and those of its form."""

    def sniff(self, folder: FolderListing) -> bool:
        """Whether the batches of CIFAR or the files of MNIST are there."""
        return bool(_cifar(folder)) or bool(_idx_folders(folder))

    def content(self, path: Path, faults: Faults, kind: str | None = None) -> Content:  # noqa: ARG002
        """Pictures of both splits; they are taken out of their files the first time."""
        folder, walk = FolderListing(path), Walk(path)
        found = [*_cifar(folder), *_idx_folders(folder)]
        if len(found) != 1:
            raise DataError(
                "{path} holds several data sets of torchvision: {names}."
                if found else "{path} holds no data set of torchvision that is whole.",
                path=path, names=", ".join(one or "." for one in found),
                fix="Name the folder of one of them.",
            )  # fmt: skip
        below = path / found[0]
        if _cifar(folder):
            return _read_cifar(path, below, walk, faults)
        return _read_idx(path, below, walk, faults)

    def writer(self, target: Path, classes: tuple[str, ...], kind: str) -> Writer:  # noqa: ARG002
        """It is not written."""
        raise not_written("torchvision")


def _cifar(folder: FolderListing) -> list[str]:
    """Where the batches lie, relative to the data set; "" for its own folder."""
    found = []
    for name, splits in CIFAR.items():
        first = splits["train"][0]
        for place in (name, ""):
            inner = f"{place}/" if place else ""
            if folder.has_file(f"{inner}{META[name]}") and folder.has_file(f"{inner}{first}"):
                found.append(place)
    return found


def _read_cifar(path: Path, folder: Path, walk: Walk, faults: Faults) -> Content:
    name = next(one for one in CIFAR if (folder / META[one]).is_file())
    splits = {split: [folder / one for one in files if (folder / one).is_file()]
              for split, files in CIFAR[name].items()}  # fmt: skip
    files = [folder / META[name], *(one for several in splits.values() for one in several)]
    for one in files:
        walk.check(one)
    fine = name == "cifar-100-python"

    def fill(out: Unpacking) -> str:
        meta = safe_pickle.plain_dict(folder / META[name])
        out.classes = tuple(safe_pickle.texts(meta.get("fine_label_names" if fine else
                                                       "label_names")))  # fmt: skip
        missing = [one for several in CIFAR[name].values() for one in several
                   if not (folder / one).is_file()]  # fmt: skip
        for one in missing:
            out.faults.add(one, 0, "the file is not there")
        for split, several in splits.items():
            for file in several:
                _take_batch(out, split, file, "fine_labels" if fine else "labels")
        if fine:
            out.notes.append(t("The fine labels of CIFAR-100 are read, not the coarse ones."))
        return "classification"

    return unpacked.content(path, "torchvision", files, faults, fill)


def _take_batch(out: Unpacking, split: str, file: Path, key: str) -> None:
    shown = file.relative_to(out.root).as_posix()
    try:
        batch = safe_pickle.plain_dict(file)
        data, labels = batch.get("data"), safe_pickle.numbers(batch.get(key))
        if not isinstance(data, safe_pickle.PickledArray):
            raise DataError("There is no array of pictures in it.")
        pixels = data.as_bytes()
        if pixels.ndim != 2 or pixels.shape[1] != 3 * CIFAR_SIDE**2:
            raise DataError("Its pictures are not of 32 x 32 pixels.")
    except DataError as error:
        out.faults.add(shown, 0, "{reason}", reason=error.sentence())
        return
    if len(labels) != len(pixels):
        out.faults.add(shown, 0, "there are {images} pictures, but {labels} labels",
                       images=len(pixels), labels=len(labels))  # fmt: skip
        return
    images = pixels.reshape(-1, 3, CIFAR_SIDE, CIFAR_SIDE).transpose(0, 2, 3, 1)
    for row, (image, label) in enumerate(zip(images, labels, strict=True), 1):
        if not 0 <= label < len(out.classes):
            out.faults.add(shown, row, "there is no class {label}", label=label)
            continue
        out.add_pixels(split, np.ascontiguousarray(image), out.classes[label])


def _idx_folders(folder: FolderListing) -> list[str]:
    """Where files of MNIST's form lie, relative to the data set."""
    places = ["", "raw", *(one for name in IDX_SETS for one in (name, f"{name}/raw"))]
    return [one for one in places if any(IMAGES in name for name in folder.names(one))]


def _read_idx(path: Path, folder: Path, walk: Walk, faults: Faults) -> Content:
    pairs = _pairs(folder)
    files = [one for _, images, labels in pairs for one in (images, labels) if one is not None]
    for one in files:
        walk.check(one)

    def fill(out: Unpacking) -> str:
        turned = False
        for split, images, labels in pairs:
            shown = images.relative_to(path).as_posix()
            if labels is None:
                out.faults.add(shown, 0, "the file of its labels is not there")
                continue
            turned |= images.name.startswith("emnist")
            try:
                _take_idx(out, split, images, labels)
            except (DataError, EOFError, gzip.BadGzipFile, zlib.error) as error:
                reason = error.sentence() if isinstance(error, DataError) else str(error)
                out.faults.add(shown, 0, "{reason}", reason=reason)
        if turned:
            out.notes.append(t("EMNIST keeps its pictures lying on their side; they were put "
                               "upright."))  # fmt: skip
        out.notes.append(t("Its files name no classes: they are called by their numbers."))
        return "classification"

    return unpacked.content(path, "torchvision", files, faults, fill)


def _pairs(folder: Path) -> list[tuple[str, Path, Path | None]]:
    """(split, pictures, labels) of each split; DataError for several sets in one folder."""
    found: dict[str, tuple[Path, Path | None]] = {}
    for images in sorted(folder.iterdir()):
        start, middle, _ = images.name.partition(f"-{IMAGES}")
        split = IDX_SPLITS.get(start.rpartition("-")[2]) if middle else None
        if split is None:
            continue
        if split in found and found[split][0].name.removesuffix(".gz") != images.name.removesuffix(
            ".gz"
        ):
            raise DataError(
                "{path} holds several sets: {one} and {other}.", path=folder,
                one=found[split][0].name, other=images.name,
                fix="Move all but one into folders of their own.",
            )  # fmt: skip
        names = (f"{start}-{LABELS}", f"{start}-{LABELS}.gz")
        labels = next((folder / one for one in names if (folder / one).is_file()), None)
        found.setdefault(split, (images, labels))
    return [(split, images, labels) for split, (images, labels) in found.items()]


def _take_idx(out: Unpacking, split: str, images: Path, labels: Path) -> None:
    """Picture by picture: what a compressed file claims to hold is not believed before it comes."""
    with _opened(images) as pixels, _opened(labels) as numbers:
        count, high, wide = _head(pixels, images, 3)
        (labelled,) = _head(numbers, labels, 1)
        shown = images.relative_to(out.root).as_posix()
        if count != labelled:
            out.faults.add(shown, 0, "there are {images} pictures, but {labels} labels",
                           images=count, labels=labelled)  # fmt: skip
            return
        if not (0 < high <= LARGEST_SIDE and 0 < wide <= LARGEST_SIDE and count <= MOST_IMAGES):
            raise DataError("{path} says it holds {count} pictures of {wide} x {high} pixels.",
                            path=images, count=count, wide=wide, high=high)  # fmt: skip
        for _ in range(count):
            label = _exactly(numbers, 1, labels)[0]
            image: NDArray[np.uint8] = np.frombuffer(
                _exactly(pixels, high * wide, images), np.uint8
            )
            image = image.reshape(high, wide)
            if images.name.startswith("emnist"):
                image = np.ascontiguousarray(image.T)
            out.add_pixels(split, image, str(label))
        for file, stream in ((images, pixels), (labels, numbers)):
            if stream.read(1):
                raise DataError("{path} is longer than it says.", path=file)


@contextmanager
def _opened(file: Path) -> Iterator[BinaryIO]:
    with file.open("rb") as raw:
        if file.suffix == ".gz":
            with gzip.GzipFile(fileobj=raw) as unzipped:
                yield cast("BinaryIO", unzipped)
        else:
            yield raw


def _head(stream: BinaryIO, file: Path, axes: int) -> tuple[int, ...]:
    """The lengths of the axes, from the beginning of an IDX file of bytes."""
    if _exactly(stream, 4, file) != bytes([0, 0, 8, axes]):
        raise DataError("{path} is no IDX file of bytes with {axes} axes.", path=file, axes=axes)
    return tuple(int.from_bytes(_exactly(stream, 4, file)) for _ in range(axes))


def _exactly(stream: BinaryIO, size: int, file: Path) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise DataError("{path} is shorter than it says.", path=file)
    return data
