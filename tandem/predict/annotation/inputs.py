"""What a job is shown: the names lie in a file on disk, one a line, so that memory stays flat."""

from __future__ import annotations

import io
import json
import os
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypedDict

from PIL import Image

from tandem.data.images import SUFFIXES, decode, is_image
from tandem.data.video import is_video
from tandem.data.writing.files import write_whole
from tandem.data.zip_file import Member, ZipArchive
from tandem.predict.annotation.written_names import WrittenNames, opened
from tandem.predict.images import MAX_PIXELS
from tandem.predict.videos import frames
from tandem.spec.errors import DataError, OutputFolderError

NAMES = "names.jsonl"
LISTED = "listed.json"
"""Beside the names: of which input they are."""
LARGEST_MEMBER_BYTES = 500_000_000
TEXT_SUFFIXES = (".txt",)


@dataclass(frozen=True)
class NamedOutput:
    """A folder that labels are written into, for which each item gets a name of its own."""

    folder: Path
    writer: str
    classes: Collection[str] = ()


@dataclass(frozen=True)
class InputItem:
    """One item of a job."""

    index: int
    """From 0, over all items."""
    name: str
    """The path below the input; a frame has its video's, with the number."""
    path: Path | None
    """Its file; None in a ZIP and of a frame."""
    written_as: tuple[str, ...] = ()
    """Its name in each of the outputs."""
    content: Image.Image | DataError | None = None
    """A decoded frame, or what is wrong with it."""
    video: str = ""
    """A frame's video by its name, and the frame's number in it."""
    frame: int | None = None
    member: Member | None = None
    """Where it lies in a ZIP."""


class _Line(TypedDict, total=False):
    """One line of the names."""

    n: str
    """The name below the input."""
    x: str
    """The same as bytes in hex, in lists of older versions."""
    to: list[str]
    """What it is written under in each output, where that is another name."""
    z: list[int]
    """A member of a ZIP: at, packed, size, crc, method."""


class InputListing:
    """Everything below an input, in an order that a second look agrees with."""

    def __init__(
        self,
        root: Path,
        folder: Path,
        kind: str,
        video_every: int = 1,
        outputs: Sequence[NamedOutput] = (),
    ) -> None:
        """`folder` keeps the list. OutputFolderError where it is that of another input."""
        self.root, self.kind, self.video_every = root, kind, video_every
        self.file, self.outputs = folder / NAMES, outputs
        self._check_same()
        self.archive = ZipArchive(root) if root.suffix.lower() == ".zip" else None
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
                entry: _Line = json.loads(line)
                name = os.fsdecode(bytes.fromhex(entry["x"])) if "x" in entry else entry["n"]
                for one in self._each(index, name, entry):
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
        return self._of_zip(source)

    def _each(self, index: int, name: str, entry: _Line) -> Iterator[InputItem]:
        written = tuple(entry.get("to") or ())
        if self.archive is not None:
            found = entry.get("z")
            member = None if found is None else Member(name, *found)
            yield InputItem(index, name, None, written, member=member)
            return
        path = self.root / name if self.root.is_dir() else self.root
        if self.kind == "sequence" or not is_video(name):
            yield InputItem(index, name, path, written)
            return
        stem = str(PurePosixPath(name).with_suffix(""))
        try:
            for number, image in frames(path, self.video_every):
                frame = f"{number:06d}.jpg"
                below = tuple(f"{one}/{frame}" for one in written)
                yield InputItem(index, f"{stem}/{frame}", None, below, image, name, number)
                index += 1
        except DataError as problem:
            yield InputItem(index, name, None, content=problem)

    def _of_zip(self, source: InputItem) -> Image.Image:
        assert self.archive is not None
        # A list of an older version does not say where its members lie.
        member = source.member or self.archive.find(source.name)
        if member is None:
            raise DataError(
                "The file {path} cannot be read: {reason}.",
                path=source.name,
                reason="it is not in the ZIP",
                fix="Check that it is there and that you may read it.",
            )
        return decode(io.BytesIO(self.archive.read(member)), source.name, MAX_PIXELS)

    def _check_same(self) -> None:
        """A folder of an earlier job holds that one's names: it would go on with them."""
        asked = {"input": os.fsencode(self.root).hex(), "kind": self.kind}
        asked |= {"video_every": str(self.video_every)}
        file = self.file.with_name(LISTED)
        if not self.file.is_file():
            path = str(self.root).encode("utf-8", "replace").decode()  # for people alone
            write_whole(file, json.dumps(asked | {"path": path}))
        elif file.is_file():  # beside a list of an older version there is none
            listed = json.loads(file.read_text(encoding="utf-8"))
            if any(listed.get(key) != value for key, value in asked.items()):
                raise OutputFolderError(
                    "{folder} is of a job over {path}, and would go on with its pictures.",
                    folder=file.parent,
                    path=listed.get("path"),
                    fix="Name another output folder, or take this folder away to begin anew.",
                )

    def _write(self) -> None:
        """The names, aside and then in place: a listing that was cut short is made again."""
        hidden = self.file.with_name(f".{self.file.name}.{os.getpid()}")
        with ExitStack() as stack, hidden.open("w", encoding="ascii") as out:
            names = [
                stack.enter_context(opened(one.folder, one.writer, one.classes))
                for one in self.outputs
            ]
            for name, has_twin, member in self._found():
                entry: _Line = {"n": name}
                written = [self._written(one, name, has_twin) for one in names]
                if any(one != name for one in written):
                    entry["to"] = written
                if member is not None:
                    entry["z"] = [
                        member.at, member.packed, member.size, member.crc, member.method
                    ]  # fmt: skip
                out.write(json.dumps(entry) + "\n")
        hidden.replace(self.file)

    def _written(self, names: WrittenNames, name: str, has_twin: bool) -> str:
        source = os.fsencode(self.root) + b"\0" + os.fsencode(name)
        frames_of = self.kind != "sequence" and self.archive is None and is_video(name)
        return names.of(source, name, has_twin=has_twin, is_video=frames_of)

    def _found(self) -> Iterator[tuple[str, bool, Member | None]]:
        if self.archive is not None:
            yield from _members(self.archive)
        elif self.root.is_file():
            yield self.root.name, False, None
        elif self.root.is_dir():
            clips = self.kind == "sequence"
            for name, has_twin in _walk(self.root, "", clips, self.kind == "text", frozenset()):
                yield name, has_twin, None
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
    """Whether another of the names differs from it in the suffix only."""
    stems: dict[tuple[bool, str], int] = {}
    for name in names:
        stem = is_video(name), name.rpartition(".")[0]
        stems[stem] = stems.get(stem, 0) + 1
    for name in names:
        yield name, stems[is_video(name), name.rpartition(".")[0]] > 1


def _is_wanted(name: str, texts: bool) -> bool:
    return name.lower().endswith(TEXT_SUFFIXES) if texts else is_image(name) or is_video(name)


def _members(archive: ZipArchive) -> Iterator[tuple[str, bool, Member]]:
    """Pictures inside, by name; nothing is unpacked. DataError for a bomb, and for twins.

    They are sorted in a file of SQLite's own, which is gone with the connection.
    """
    database = sqlite3.connect("", isolation_level=None)
    try:
        database.execute("BEGIN")
        database.execute(
            "CREATE TABLE members (name BLOB PRIMARY KEY, stem BLOB, at INT, packed INT, size INT, "
            "crc INT, method INT) WITHOUT ROWID"
        )
        database.execute("CREATE INDEX by_stem ON members (stem)")
        for one in archive.members():
            if is_image(one.name):
                _keep(database, one)
        twins = "SELECT stem FROM members GROUP BY stem HAVING count(*) > 1"
        for name, *numbers, has_twin in database.execute(
            f"SELECT name, at, packed, size, crc, method, stem IN ({twins}) FROM members "  # noqa: S608
            "ORDER BY name"
        ):
            text = os.fsdecode(name)
            yield text, bool(has_twin), Member(text, *numbers)
    finally:
        database.close()


def _keep(database: sqlite3.Connection, one: Member) -> None:
    if one.size > LARGEST_MEMBER_BYTES:
        raise DataError(
            "{name} in the ZIP is {size} bytes long, too much for a picture.",
            name=one.name,
            size=one.size,
            fix="Take it away.",
        )
    stem = os.fsencode(one.name.rpartition(".")[0])
    row = (os.fsencode(one.name), stem, one.at, one.packed, one.size, one.crc, one.method)
    try:
        database.execute("INSERT INTO members VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    except sqlite3.IntegrityError:
        raise DataError(
            "The archive holds two files of one name: {one} and {other}.",
            one=one.name,
            other=one.name,
            fix="Rename one of them.",
        ) from None
