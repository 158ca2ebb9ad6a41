"""Where the picture of a task lies: the addresses that Label Studio writes, to a file here."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes, urlsplit

from tandem.data.images import is_image
from tandem.data.reading.file_names import FileNames
from tandem.data.reading.files import JsonObject, inside
from tandem.data.reading.split_names import split_folders, split_of

LOCAL_FILES = "/data/local-files/?d="
_UPLOADED = re.compile(r"[0-9a-f]{8}-")
"""What Label Studio puts before the name of an uploaded file."""
MOST_STEPS = 16


def encoded(name: str) -> str:
    """The address of a file below the data set's root, percent-encoded once."""
    return LOCAL_FILES + quote(os.fsencode(name))


def image_keys(data: JsonObject) -> list[str]:
    """The keys of a task's data that hold a picture's address, `image` first."""
    found = [key for key, value in data.items() if key == "image" and isinstance(value, str)]
    return found + [
        key for key, value in data.items()
        if key != "image" and isinstance(value, str) and len(value) < 10_000
        and any(is_image(one) for one in _names(value))
    ]  # fmt: skip


class ImageFiles:
    """The files of a data set, by the addresses of its tasks."""

    def __init__(self, root: Path) -> None:
        self.root, self.names = root, FileNames(root)
        images = root / "images"
        self.folders = split_folders(images) if images.is_dir() else {}

    def find(self, address: str, split: str | None) -> Path | None:
        """The file of an address; first among the pictures of its split."""
        for name in _names(address):
            steps = [one for one in name.split("/") if one not in ("", ".", "..")][-MOST_STEPS:]
            for start in range(len(steps)):
                below = "/".join(steps[start:])
                for folder in self._folders(split):
                    file = self.names.find(folder / below)
                    if file is not None and inside(self.root, file):
                        return file
        return None

    def split_of(self, file: Path) -> str | None:
        """The split whose folder a file lies in."""
        parts = file.relative_to(self.root).parts[:-1]
        named = parts[1:2] if parts[:1] == ("images",) else parts[:1]
        return split_of(named[0]) if named else None

    def _folders(self, split: str | None) -> Iterator[Path]:
        images = self.root / "images"
        own = self.folders.get(split or "", [])
        yield from (images / one for one in own)
        yield self.root
        yield images
        others = (one for names in self.folders.values() for one in names if one not in own)
        yield from (images / one for one in others)


def _names(address: str) -> Iterator[str]:
    """The paths it can mean: decoded once as an address is, and else as it is written."""
    for name in _decoded(address.strip()):
        yield name
        if "\\" in name:
            yield name.replace("\\", "/")


def _decoded(address: str) -> Iterator[str]:
    _, local, given = address.partition("?d=")
    if local:
        cut = given.split("&", 1)[0].split("#", 1)[0]
        # A query's + is a space; older versions wrote the name as it is.
        yield from dict.fromkeys((_plain(cut.replace("+", " ")), _plain(cut), given))
        return
    try:
        parts = urlsplit(address)
    except ValueError:
        return
    if parts.scheme and "://" in address:
        yield from dict.fromkeys((_plain(parts.path), parts.path))
    elif address.startswith("/data/"):
        yield from dict.fromkeys((_plain(address), address))
    else:
        yield from dict.fromkeys((address, _plain(address)))
        return
    if "/data/upload/" in address:
        folder, _, name = _plain(parts.path).rpartition("/")
        yield f"{folder}/{_UPLOADED.sub('', name, count=1)}"


def _plain(encoded_once: str) -> str:
    try:
        return os.fsdecode(unquote_to_bytes(encoded_once))
    except UnicodeEncodeError:  # half a character: it names nothing
        return ""
