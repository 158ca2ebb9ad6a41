"""What language models are taught with: instructions, conversations, and captions of pictures."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from tandem.data.content import Content, Item
from tandem.data.faults import Faults
from tandem.data.formats.text import decoded, lines_of, read_text, table_rows
from tandem.data.images import is_image
from tandem.data.reading import data_yaml
from tandem.data.reading.files import SPLITS, measure, with_suffix_of_image
from tandem.data.reading.folder_listing import FolderListing
from tandem.data.reading.texts import has_labels_beside
from tandem.data.reading.walk import Walk
from tandem.data.registry import Writer, register
from tandem.data.writing.files import Parts, placed, put_image, write_whole
from tandem.spec.errors import DataError

TEXTS_LOOKED_AT = 20
INSTRUCTION_KEYS = {"instruction", "conversations", "messages"}
Turn = dict[str, str]
ROLES = {"human": "user", "gpt": "assistant", "user": "user", "assistant": "assistant",
         "system": "system", "tool": "tool"}  # fmt: skip


@register.format(
    "instruction",
    files="train.jsonl: instructions, conversations, messages",
    kinds={"instruction"},
    holds={"text"},
    zh="JSONL，内容为指令、对话（ShareGPT）、消息或纯文本。",
)
class Instruction:
    """JSONL of instructions, conversations (ShareGPT), messages, or plain texts."""

    def sniff(self, folder: FolderListing) -> bool:
        """Whether a table's first line is an instruction or a conversation."""
        if folder.has_folder("train"):
            return False
        names = [f"{split}.jsonl" for split in SPLITS if folder.has_file(f"{split}.jsonl")]
        return bool(names) and _is_instruction(folder.head(names[0]))

    def content(self, path: Path, faults: Faults, kind: str | None = None) -> Content:  # noqa: ARG002
        """Every line as a list of turns, in `attributes["messages"]`."""
        found = {split: list(_rows(path, file, faults)) for split, file in _files(path).items()}
        return Content(path, "instruction", "instruction", (), found.get("train", []),
                       found.get("val"))  # fmt: skip

    def writer(self, target: Path, classes: tuple[str, ...], kind: str) -> Writer:  # noqa: ARG002
        """Messages, whatever they were written as."""
        return MessagesWriter(target)


@register.format(
    "caption",
    files="{train,val}/*, and a .txt beside each picture, or metadata.{csv,jsonl}",
    kinds={"caption"},
    holds={"text"},
    zh="图片配同名的 .txt，或 metadata.csv 或 .jsonl。",
)
class Caption:
    """Pictures with a .txt of the same name, or metadata.csv or .jsonl."""

    def sniff(self, folder: FolderListing) -> bool:
        """Whether there is such a table, or a text beside a picture."""
        if any(folder.has_file(f"metadata.{one}") for one in ("csv", "jsonl")):
            return True
        # Ultralytics also takes labels that lie beside their pictures, and labelImg writes them so.
        if data_yaml.find(folder.root) is not None or has_labels_beside(folder):
            return False
        inner = "train" if folder.has_folder("train") else ""
        names = folder.names(inner)
        stems = {Path(one).stem for one in names if is_image(one)}
        texts = [Path(one).stem for one in names if one.endswith(".txt")][:TEXTS_LOOKED_AT]
        # The picture of a text may be beyond the names that a listing reads.
        beside = folder.root / inner
        return any(one in stems or with_suffix_of_image(beside, one) for one in texts)

    def content(self, path: Path, faults: Faults, kind: str | None = None) -> Content:  # noqa: ARG002
        """Every picture with its caption."""
        splits = [one for one in SPLITS if (path / one).is_dir()]
        found = {one: list(_captioned(path, path / one, faults)) for one in splits or ("",)}
        train = found.get("train", found.get("", []))
        return Content(path, "caption", "caption", (), train, found.get("val"))

    def writer(self, target: Path, classes: tuple[str, ...], kind: str) -> Writer:  # noqa: ARG002
        """A .txt beside each picture."""
        return CaptionWriter(target)


def _is_instruction(head: bytes) -> bool:
    first = next((one for one in head.split(b"\n") if one.strip()), b"{}")
    try:
        row = json.loads(decoded(first)[0])
    except (DataError, ValueError, RecursionError):
        return False
    return isinstance(row, dict) and bool(INSTRUCTION_KEYS & row.keys())


def _files(path: Path) -> dict[str, Path]:
    if (path / "train").is_dir():
        return {}
    return {split: path / f"{split}.jsonl" for split in SPLITS
            if (path / f"{split}.jsonl").is_file()}  # fmt: skip


def _rows(root: Path, file: Path, faults: Faults) -> Iterator[Item]:
    Walk(root).check(file)
    text, _ = read_text(file)
    if not text.strip():
        faults.add(file.name, 0, "it holds no row")
    name = file.relative_to(root).as_posix().encode()
    for line, one in enumerate(lines_of(text), 1):
        if not one.strip():
            continue
        try:
            row = json.loads(one)
        except (ValueError, RecursionError):
            faults.add(file.name, line, "it is no JSON")
            continue
        turns = messages(row)
        if isinstance(turns, str):
            faults.add(file.name, line, turns)
            continue
        said = "\n".join(turn["content"] for turn in turns)
        yield Item(name, text=said, line=line, attributes={"messages": turns})


def messages(row: object) -> list[Turn] | str:
    """The turns of one line, or what is wrong with it."""
    if not isinstance(row, dict):
        return "it is no JSON object"
    if "instruction" in row:
        asked = str(row["instruction"] or "")
        if row.get("input"):
            asked = f"{asked}\n{row['input']}"
        answer = row.get("response", row.get("output"))
        if not asked.strip() or not isinstance(answer, str) or not answer.strip():
            return "an instruction needs a response (or output)"
        return [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]
    if isinstance(row.get("text"), str) and row["text"].strip():
        return [{"role": "assistant", "content": row["text"]}]
    turns = row.get("messages", row.get("conversations"))
    if not isinstance(turns, list) or not turns:
        return "it has neither instruction, conversations, messages nor text"
    found = []
    for turn in turns:
        role = turn.get("role", turn.get("from")) if isinstance(turn, dict) else None
        content = turn.get("content", turn.get("value")) if isinstance(turn, dict) else None
        if role not in ROLES or not isinstance(content, str) or not content.strip():
            return "a turn has no role or no content"
        found.append({"role": ROLES[str(role)], "content": content})
    if found[-1]["role"] != "assistant":
        return "the last turn is not the assistant's"
    return found


def _captioned(root: Path, folder: Path, faults: Faults) -> Iterator[Item]:
    told = _metadata(folder, root, faults)
    walk = Walk(root)
    for image in walk.images(folder):
        item = Item(image)
        if not measure(root, item, faults):
            continue
        beside = (root / item.name).with_suffix(".txt")
        name = os.path.relpath(root / item.name, folder)
        if name in told:
            item.text = told.pop(name)
        elif beside.is_file():
            walk.check(beside)
            item.text = read_text(beside)[0].strip()
        if not item.text:
            faults.add(item.name, 0, "the picture has no caption")
            continue
        yield item
    for name in told:
        faults.add("metadata", 0, "the picture {file} is not there", file=name)


def _metadata(folder: Path, root: Path, faults: Faults) -> dict[str, str]:
    table, lines = folder / "metadata.csv", folder / "metadata.jsonl"
    rows: list[object] = []
    if table.is_file():
        rows += table_rows(table, faults)
    elif lines.is_file():
        for line, one in enumerate(lines_of(read_text(lines)[0]), 1):
            try:
                rows.append(json.loads(one))
            except (ValueError, RecursionError):
                faults.add(os.path.relpath(lines, root), line, "it is no JSON")
    found = {}
    for row in rows:
        if isinstance(row, dict) and row.get("file_name") and row.get("text"):
            found[os.path.normpath(str(row["file_name"]))] = str(row["text"])
    return found


class MessagesWriter:
    """`<split>.jsonl` of messages."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.parts = {split: Parts(target / f".parts-{split}.jsonl") for split in SPLITS}

    def add(self, item: Item, split: str, source: Path | None) -> list[str]:  # noqa: ARG002
        key = f"{item.name}:{item.line}"
        self.parts[split].add({"key": key, "messages": item.attributes["messages"]})
        return []

    def close(self) -> None:
        for split, parts in self.parts.items():
            rows = parts.rows()
            lines = [json.dumps({"messages": r["messages"]}, ensure_ascii=False) for r in rows]
            if lines:
                write_whole(self.target / f"{split}.jsonl", "".join(f"{one}\n" for one in lines))


class CaptionWriter:
    """Pictures, and a text beside each."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def add(self, item: Item, split: str, source: Path | None) -> list[str]:
        file = self.target / split / placed(item, source)
        put_image(source, file)
        write_whole(file.with_suffix(".txt"), f"{item.text}\n")
        return []

    def close(self) -> None:
        """Nothing is of all items."""
