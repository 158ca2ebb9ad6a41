"""`{train,val,test}-*.tar`: files of one key lie together, `key.jpg`, `key.cls`, `key.json`."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from tandem.data.content import Content
from tandem.data.faults import Faults
from tandem.data.images import SUFFIXES
from tandem.data.reading.files import read_text
from tandem.data.reading.folder_listing import FolderListing
from tandem.data.reading.packed import unpacked
from tandem.data.reading.packed.unpacked import LARGEST_IMAGE_BYTES, MOST_LETTERS, Unpacking
from tandem.data.reading.split_names import split_of
from tandem.data.reading.walk import Walk
from tandem.data.registry import Writer, not_written, register
from tandem.spec.errors import DataError
from tandem.spec.i18n import t

TARS = (".tar", ".tar.gz", ".tgz")
LABELS, TEXTS, META = (".cls", ".cls.txt"), (".txt", ".caption"), ".json"
LABEL_KEYS, TEXT_KEYS = ("label", "cls", "class"), ("caption", "text")


@register.format(
    "webdataset",
    files="{train,val,test}-*.tar: key.jpg with key.cls, key.json or key.txt; classes.txt",
    kinds={"classification", "caption"},
    holds={"label", "text"},
    packed=True,
    zh="tar 文件，图片与其标签以相同的名称相邻存放（WebDataset）。",
    zh_more={
        "there is no picture with {key}": "{key} 没有对应的图片",
        "{key} is {size} bytes large, which is too much": "{key} 有 {size} 字节，太大",
        "{key} is a link or a device and is left out": "{key} 是链接或设备，不会读取",
        "{suffix} of {key} is not read": "{key} 的 {suffix} 不会读取",
        "the label of {key} is no whole number and no name": "{key} 的标签既不是整数也不是名称",
        "it is no tar file that can be read ({reason})": "它不是可以读取的 tar 文件（{reason}）",
        "there are several pictures with {key}": "{key} 有多张图片",
    },
)
class WebDataset:
    """Tar files in which a picture and its label lie beside each other under one key."""

    def sniff(self, folder: FolderListing) -> bool:
        """Whether tar files lie there, or in the folders of the splits."""
        return any(name.lower().endswith(TARS) for one in _places(folder)
                   for name in folder.names(one))  # fmt: skip

    def content(self, path: Path, faults: Faults, kind: str | None = None) -> Content:  # noqa: ARG002
        """Every picture; they are taken out of the tar files the first time, one at a time."""
        walk, notes = Walk(path), list[str]()
        files = _tars(path, notes)
        names = _class_names(path)
        for one in files:
            walk.check(one)
        watched = [*files, *([path / "classes.txt"] if names else [])]

        def fill(out: Unpacking) -> str:
            out.classes = tuple(names)
            captions = labels = 0
            for file, split in files.items():
                for sample in _samples(file, out):
                    label = _label(sample, names, out)
                    text = sample.text()
                    labels += label is not None
                    captions += text is not None
                    out.add_encoded(split, sample.image, label, sample.where, text)
            return "caption" if captions and not labels else "classification"

        return unpacked.content(path, "webdataset", watched, faults, fill).noted(notes)

    def writer(self, target: Path, classes: tuple[str, ...], kind: str) -> Writer:  # noqa: ARG002
        """It is not written."""
        raise not_written("webdataset")


@dataclass
class _Sample:
    """The files of one key."""

    key: str
    where: tuple[str, int]
    image: bytes = b""
    label: str | None = None
    caption: str | None = None
    meta: dict[str, object] = field(default_factory=dict)

    def text(self) -> str | None:
        """Its caption: from its own file, or from its JSON."""
        if self.caption is not None:
            return self.caption
        found = next((self.meta[one] for one in TEXT_KEYS if one in self.meta), None)
        return found if isinstance(found, str) else None


def _places(folder: FolderListing) -> list[str]:
    return ["", *(one for one in folder.folders() if split_of(one) is not None)]


def _tars(path: Path, notes: list[str]) -> dict[Path, str]:
    """Each tar file's split: its folder's, or the one that its name begins with; else train."""
    found: dict[Path, str] = {}
    for place in _places(FolderListing(path)):
        for file in sorted((path / place).iterdir()):
            if file.name[0] == "." or not file.name.lower().endswith(TARS) or not file.is_file():
                continue
            start = file.name.split(".")[0].replace("_", "-").split("-")[0]
            split = split_of(place) or split_of(start)
            if split is None:
                notes.append(t("{file} names no split and is read as train.", file=file.name))
            found[file] = split or "train"
    if not found:
        raise DataError("There is no tar file in {path}.", path=path,
                        fix="Put train-000000.tar there.")  # fmt: skip
    return found


def _class_names(path: Path) -> list[str]:
    file = path / "classes.txt"
    return [one for one in read_text(file).splitlines() if one] if file.is_file() else []


def _samples(file: Path, out: Unpacking) -> Iterator[_Sample]:
    """The samples of one tar file, in their order; those without a picture are told."""
    shown = file.relative_to(out.root).as_posix()
    sample: _Sample | None = None
    try:
        with tarfile.open(file, "r|*") as archive:
            for number, member in enumerate(archive, 1):
                name = PurePosixPath(member.name)
                stem, dot, rest = name.name.partition(".")
                if member.isdir() or name.name.startswith(("._", "__")) or not dot:
                    continue
                key = str(name.parent / stem)
                if sample is None or sample.key != key:
                    yield from _whole(sample, out)
                    sample = _Sample(key, (shown, number))
                _take(sample, f".{rest.lower()}", member, archive, out)
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        out.faults.add(shown, 0, "it is no tar file that can be read ({reason})",
                       reason=str(error)[:120])  # fmt: skip
    yield from _whole(sample, out)


def _whole(sample: _Sample | None, out: Unpacking) -> Iterator[_Sample]:
    if sample is not None and sample.image:
        yield sample
    elif sample is not None:
        out.faults.add(*sample.where, "there is no picture with {key}", key=sample.key)


def _take(
    sample: _Sample, suffix: str, member: tarfile.TarInfo, archive: tarfile.TarFile, out: Unpacking
) -> None:
    """One file of a sample. What is not read is told, with the sample's number in the tar file."""
    where = sample.where
    if not member.isreg():
        out.faults.add(*where, "{key} is a link or a device and is left out", key=member.name,
                       warning=True)  # fmt: skip
        return
    if suffix not in (*SUFFIXES, *LABELS, *TEXTS, META):
        out.faults.add(*where, "{suffix} of {key} is not read", warning=True, suffix=suffix,
                       key=sample.key)  # fmt: skip
        return
    if member.size > (LARGEST_IMAGE_BYTES if suffix in SUFFIXES else MOST_LETTERS):
        out.faults.add(*where, "{key} is {size} bytes large, which is too much", key=member.name,
                       size=member.size)  # fmt: skip
        return
    stream = archive.extractfile(member)
    data = stream.read() if stream is not None else b""
    if suffix in SUFFIXES:
        if sample.image:
            out.faults.add(*where, "there are several pictures with {key}", key=sample.key)
        sample.image = data
        return
    text = data.decode("utf-8-sig", "replace").strip()
    if suffix in LABELS:
        sample.label = text
    elif suffix in TEXTS:
        sample.caption = text
    else:
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            out.faults.add(*where, "it is no JSON")
            return
        sample.meta = found if isinstance(found, dict) else {"label": found}


def _label(sample: _Sample, names: list[str], out: Unpacking) -> str | None:
    """The class by its name: a number counts in classes.txt, where that is there."""
    said: object = sample.label
    if said is None:
        said = next((sample.meta[one] for one in LABEL_KEYS if one in sample.meta), None)
    if said is None or said == "":
        return None
    if isinstance(said, bool) or not isinstance(said, int | str):
        out.faults.add(*sample.where, "the label of {key} is no whole number and no name",
                       key=sample.key)  # fmt: skip
        return None
    name = str(said)
    if name.startswith("-") and name[1:].isdecimal():
        out.faults.add(*sample.where, "there is no class {label}", label=name)
        return None
    if not names:
        return name
    if name.isdecimal() and int(name) < len(names):
        return names[int(name)]
    if name not in names:
        out.faults.add(*sample.where, "there is no class {label}", label=name)
        return None
    return name
