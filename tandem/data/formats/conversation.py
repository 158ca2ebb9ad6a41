"""What language models are taught with: instructions, conversations, plain texts."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from tandem.data.content import Content, Item
from tandem.data.faults import Faults
from tandem.data.formats.text import once_each
from tandem.data.reading.encodings import decoded, read_told
from tandem.data.reading.files import JsonObject, inside, is_there
from tandem.data.reading.folder_listing import FolderListing
from tandem.data.reading.messages import Conversation, conversation
from tandem.data.reading.split_names import SPLITS, split_files, split_of
from tandem.data.reading.texts import json_lines
from tandem.data.reading.walk import Walk
from tandem.data.registry import Writer, register
from tandem.data.writing.files import Parts, put_image, write_whole

INSTRUCTION_KEYS = {"instruction", "conversations", "messages"}
SUFFIXES = (".jsonl",)
PLACEHOLDER = "<image>"
"""Where a picture belongs in the turns, as LLaVA and LLaMA-Factory write it."""


@register.format(
    "instruction",
    files="train.jsonl: instructions, conversations, messages",
    kinds={"instruction"},
    holds={"text", "attributes"},
    zh="JSONL，内容为指令、对话（ShareGPT）、消息或纯文本。",
)
class Instruction:
    """JSONL of instructions, conversations (ShareGPT), messages, or plain texts."""

    def sniff(self, folder: FolderListing) -> bool:
        """Whether a table's first line is an instruction or a conversation."""
        if folder.has_folder("train"):
            return False
        names = [one for one in folder.names() if split_of(Path(one).stem) is not None
                 and Path(one).suffix.lower() in SUFFIXES and folder.has_file(one)]  # fmt: skip
        return bool(names) and _is_instruction(folder.head(names[0]))

    def content(self, path: Path, faults: Faults, kind: str | None = None) -> Content:  # noqa: ARG002
        """Every line as a list of turns, in `attributes["messages"]`, its other fields beside."""
        notes: list[str] = []
        files = {} if (path / "train").is_dir() else split_files(path, SUFFIXES)
        found = {
            split: [item for file in several for item in _rows(path, file, faults, notes)]
            for split, several in once_each(files, faults).items()
        }
        return Content(path, "instruction", "instruction", (), found.get("train", []),
                       found.get("val"), tuple(notes), found.get("test"))  # fmt: skip

    def writer(self, target: Path, classes: tuple[str, ...], kind: str) -> Writer:  # noqa: ARG002
        """Messages, whatever they were written as."""
        return MessagesWriter(target)


def _is_instruction(head: bytes) -> bool:
    first = next((one for one in head.split(b"\n") if one.strip()), b"{}")
    try:
        row = json.loads(decoded(first)[0])
    except (ValueError, RecursionError):
        return False
    return isinstance(row, dict) and bool(INSTRUCTION_KEYS & row.keys())


def _rows(root: Path, file: Path, faults: Faults, notes: list[str]) -> Iterator[Item]:
    Walk(root).check(file)
    text = read_told(file, notes)
    if not text.strip():
        faults.add(file.name, 0, "it holds no row")
    name = file.relative_to(root).as_posix().encode()
    for line, row in json_lines(text, file.name, faults):
        found = conversation(row, file.name, line, faults)
        if found is None or not _has_images(root, found, file.name, line, faults):
            continue
        attributes: dict[str, object] = {"messages": found.turns}
        if found.fields:
            attributes["fields"] = found.fields
        yield Item(name, text=found.text, line=line, attributes=attributes)


def _has_images(root: Path, found: Conversation, file: str, line: int, faults: Faults) -> bool:
    """Whether its pictures can be kept: named, and here or elsewhere, but not past the root."""
    names = found.images()
    if names is None:
        faults.add(file, line, "its pictures are named by no text")
        return False
    for one in (*names, *found.images_within()):
        if _is_address(one) or (is_there(root / one) and inside(root, root / one)):
            continue
        # The turns are whole without it, and its name is kept.
        outside = not inside(root, root / one)
        faults.add(file, line, "the picture {file} is not there", warning=not outside,
                   file=one[:200])  # fmt: skip
        if outside:
            return False
    marked = found.text.count(PLACEHOLDER)
    if names and marked not in (0, len(names)):
        faults.add(file, line, "its turns have {marked} places for pictures, and {count} pictures "
                   "are named", marked=marked, count=len(names))  # fmt: skip
        return False
    return True


def _is_address(name: str) -> bool:
    return name.startswith(("http://", "https://", "data:", "s3://", "gs://"))


class MessagesWriter:
    """`<split>.jsonl` of messages, and the pictures that they name."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.parts = {split: Parts(target / f".parts-{split}.jsonl") for split in SPLITS}

    def add(self, item: Item, split: str, source: Path | None) -> list[str]:
        fields = item.attributes.get("fields")
        turns = item.attributes["messages"]
        assert isinstance(turns, list), "as the reader has put it there"
        told = Conversation(turns, fields if isinstance(fields, dict) else {})
        row: JsonObject = {"messages": turns, **told.fields}
        if source is not None:
            self._put_images(told, source.parent)
        self.parts[split].add({"key": f"{item.name}:{item.line}", "row": row})
        return []

    def _put_images(self, told: Conversation, root: Path) -> None:
        for name in (*(told.images() or []), *told.images_within()):
            if not _is_address(name) and is_there(root / name):
                put_image(root / name, self.target / os.path.relpath(root / name, root))

    def close(self) -> None:
        for split, parts in self.parts.items():
            lines = [json.dumps(one["row"], ensure_ascii=False) for one in parts.rows()]
            if lines:
                write_whole(self.target / f"{split}.jsonl", "".join(f"{one}\n" for one in lines))
