"""What a job is shown: the names lie in a file on disk, one a line, so that memory stays flat."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from PIL import Image

from tandem.data.images import SUFFIXES, decode, is_image
from tandem.data.video import is_video
from tandem.predict.images import MAX_PIXELS
from tandem.predict.videos import frames
from tandem.spec.errors import DataError

NAMES = "names.jsonl"
LARGEST_MEMBER_BYTES = 500_000_000
TEXT_SUFFIXES = (".txt",)


@dataclass(frozen=True)
class InputItem:
    """One item of a job."""

    index: int
    """From 0, over all items."""
    name: str
    """The path below the input; a frame has its video's, with the number."""
    path: Path | None
    """Its file; None in a ZIP and of a frame."""
    has_twin: bool = False
    """Another file differs from it in the suffix only."""
    content: Image.Image | DataError | None = None
    """A decoded frame, or what is wrong with it."""
    video: str = ""
    """A frame's video by its name, and the frame's number in it."""
    frame: int | None = None


class InputListing:
    """Everything below an input, in an order that a second look agrees with."""

    def __init__(self, root: Path, folder: Path, kind: str, video_every: int = 1) -> None:
        self.root, self.kind, self.video_every = root, kind, video_every
        self.file = folder / NAMES
        self.archive = _opened(root) if root.suffix.lower() == ".zip" else None
        if not self.file.is_file():
            self._write()
        with self.file.open("rb") as lines:
            self.count = sum(1 for _ in lines)
        """How many files there are; a video is one."""
        if not self.count:
            self.file.unlink()  # something may come; a later start looks again
            raise DataError("There is no picture in {path}.", path=root, allowed=sorted(SUFFIXES))

    def __iter__(self) -> Iterator[InputItem]:
        index = 0
        with self.file.open(encoding="ascii") as lines:
            for line in lines:
                entry = json.loads(line)
                name = os.fsdecode(bytes.fromhex(entry["x"])) if "x" in entry else entry["n"]
                for one in self._each(index, name, bool(entry.get("twin"))):
                    yield one
                    index += 1

    def open(self, source: InputItem) -> Image.Image | Path:
        """What the model reads. DataError where it is gone or broken."""
        if isinstance(source.content, DataError):
            raise source.content
        if source.content is not None:
            return source.content
        if source.path is not None:
            return source.path
        return self._member(source.name)

    def _each(self, index: int, name: str, has_twin: bool) -> Iterator[InputItem]:
        if self.archive is not None:
            yield InputItem(index, name, None, has_twin)
            return
        path = self.root / name if self.root.is_dir() else self.root
        if self.kind == "sequence" or not is_video(name):
            yield InputItem(index, name, path, has_twin)
            return
        stem = str(PurePosixPath(name).with_suffix(""))
        try:
            for number, image in frames(path, self.video_every):
                yield InputItem(index, f"{stem}/{number:06d}.jpg", None, False, image, name, number)
                index += 1
        except DataError as problem:
            yield InputItem(index, name, None, False, problem)

    def _member(self, name: str) -> Image.Image:
        assert self.archive is not None
        try:
            with self.archive.open(name) as file:
                return decode(file, name, MAX_PIXELS)  # type: ignore[arg-type]
        except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError, KeyError) as error:
            raise DataError(
                "The file {path} cannot be read: {reason}.",
                path=name,
                reason=str(error)[:120],
                fix="Check that it is there and that you may read it.",
            ) from error

    def _write(self) -> None:
        """The names, aside and then in place: a listing that was cut short is made again."""
        hidden = self.file.with_name(f".{self.file.name}.{os.getpid()}")
        with hidden.open("w", encoding="ascii") as out:
            for name, has_twin in self._found():
                entry: dict[str, object] = {"twin": True} if has_twin else {}
                try:
                    name.encode()
                    entry["n"] = name
                except UnicodeEncodeError:  # a name that is no UTF-8
                    entry["x"] = os.fsencode(name).hex()
                out.write(json.dumps(entry) + "\n")
        hidden.replace(self.file)

    def _found(self) -> Iterator[tuple[str, bool]]:
        if self.archive is not None:
            names = sorted(_members(self.archive))
            yield from _with_twins(names)
        elif self.root.is_file():
            yield self.root.name, False
        elif self.root.is_dir():
            clips = self.kind == "sequence"
            yield from _walk(self.root, "", clips, self.kind == "text", frozenset())
        else:
            raise DataError(
                "There is nothing at {path}.", path=self.root, fix="Name a picture or a folder."
            )


def _walk(
    root: Path, below: str, clips: bool, texts: bool, above: frozenset[str]
) -> Iterator[tuple[str, bool]]:
    """By name, folder after folder; the names of one folder are all that is held."""
    here = os.path.realpath(root / below)
    if here in above:
        raise DataError(
            "The link {path} leads back to a folder that it lies in.",
            path=root / below,
            fix="Take the link away.",
        )
    files, folders = [], []
    with os.scandir(root / below) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                folders.append(entry.name)
            elif entry.is_file() and _is_wanted(entry.name, texts):
                files.append(entry.name)
    files.sort()
    if {"images", "masks"} <= set(folders):
        folders.remove("masks")  # a data set's labels, not what is to be labelled
    if clips and below and any(is_image(name) for name in files):
        yield below, False
        files = [name for name in files if is_video(name)]
    for name, has_twin in _with_twins(files):
        yield f"{below}/{name}" if below else name, has_twin
    for name in sorted(folders):
        deeper = f"{below}/{name}" if below else name
        yield from _walk(root, deeper, clips, texts, above | {here})


def _with_twins(names: list[str]) -> Iterator[tuple[str, bool]]:
    """Whether a neighbour in the order of the names has the same stem."""
    stems: dict[str, int] = {}
    for name in names:
        stem = name.rpartition(".")[0]
        stems[stem] = stems.get(stem, 0) + 1
    for name in names:
        yield name, stems[name.rpartition(".")[0]] > 1


def _is_wanted(name: str, texts: bool) -> bool:
    return name.lower().endswith(TEXT_SUFFIXES) if texts else is_image(name) or is_video(name)


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(
            "The ZIP {path} cannot be read: {reason}.",
            path=path,
            reason=str(error)[:120],
            fix="Pack it again.",
        ) from error


def _members(archive: zipfile.ZipFile) -> Iterator[str]:
    """Pictures inside; nothing is unpacked. DataError for a name that climbs out, or a bomb."""
    for one in archive.infolist():
        if one.is_dir() or not is_image(one.filename):
            continue
        parts = PurePosixPath(one.filename.replace("\\", "/")).parts
        if ".." in parts or one.filename.startswith(("/", "\\")) or "__MACOSX" in parts:
            if "__MACOSX" in parts:
                continue
            raise DataError(
                "The ZIP holds the name {name}, which leads out of it.",
                name=one.filename,
                fix="Pack it again, with relative names.",
            )
        if one.file_size > LARGEST_MEMBER_BYTES:
            raise DataError(
                "{name} in the ZIP is {size} bytes long, too much for a picture.",
                name=one.filename,
                size=one.file_size,
                fix="Take it away.",
            )
        yield one.filename
