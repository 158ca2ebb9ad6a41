"""What can happen to the files of a data set: each mutation takes a file and some dice."""

from __future__ import annotations

import copy
import json
import os
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

HOSTILE: list[Any] = [None, True, -1, 0, 10**400, 1e308, float("nan"), float("inf"), "", "x", "²",
                      "\0", "\ud800", "../../x", "/etc/passwd", "x" * 5000, [], [[]], [None], {},
                      {"a": 1}, [1, 2], [[1, 2], [3]], "no", -0.0, 2**63, "1e999", "‮", "a\nb",
                      "%s{x}%(y)d", "~", "NaN", [0] * 1000]  # fmt: skip
WORDS = [b"", b"-1", b"0", b"1e999", b"nan", b"9" * 400, b"\x00", b"\xff\xfe", b'"', b"'", b"&x;",
         b"{", b"[" * 3000, b"<a>" * 300, b"../..", b"\r", b"\xe2\x80\xa8", b"x" * 70_000, b"*a",
         b"!!", b"%", b"{x}", b"\xed\xa0\x80", b"- " * 50, b"? " * 50, b"999999999999", b"\t",
         b","]  # fmt: skip
_WORD = re.compile(rb"[\w.\-]+")
Mutation = Callable[[Path, random.Random], None]


def cut(file: Path, dice: random.Random) -> None:
    """Its end is missing."""
    raw = file.read_bytes()
    file.write_bytes(raw[: dice.randrange(len(raw) + 1)])


def flip(file: Path, dice: random.Random) -> None:
    """Some bytes are others."""
    raw = bytearray(file.read_bytes())
    for _ in range(dice.choice([1, 2, 20])):
        if raw:
            raw[dice.randrange(min(len(raw), 400))] = dice.randrange(256)
    file.write_bytes(raw)


def words(file: Path, dice: random.Random) -> None:
    """Some words, numbers or names of it are hostile ones."""
    raw = file.read_bytes()
    found = list(_WORD.finditer(raw[:20_000]))
    for one in dice.sample(found, min(len(found), dice.choice([1, 3]))):
        raw = raw[: one.start()] + dice.choice(WORDS) + raw[one.end() :]
    file.write_bytes(raw)


def empty(file: Path, dice: random.Random) -> None:  # noqa: ARG001
    """Nothing is in it."""
    file.write_bytes(b"")


def thrice(file: Path, dice: random.Random) -> None:  # noqa: ARG001
    """All of it is there again and again."""
    file.write_bytes(file.read_bytes() * 3)


def long(file: Path, dice: random.Random) -> None:
    """A line or a number without end stands in it."""
    raw = file.read_bytes()
    where = dice.randrange(len(raw) + 1)
    file.write_bytes(raw[:where] + dice.choice([b"9", b"[", b" ", b"{", b"\x00"]) * 300_000
                     + raw[where:])  # fmt: skip


def folder(file: Path, dice: random.Random) -> None:  # noqa: ARG001
    """A folder stands in its place."""
    file.unlink()
    file.mkdir()


def gone(file: Path, dice: random.Random) -> None:  # noqa: ARG001
    """It is not there."""
    file.unlink()


def link(file: Path, dice: random.Random) -> None:
    """A link stands in its place: to nowhere, out, or to itself."""
    file.unlink()
    file.symlink_to(dice.choice(["nowhere", "/etc/passwd", file.name, "..", "/dev/zero"]))


def pipe(file: Path, dice: random.Random) -> None:  # noqa: ARG001
    """A pipe stands in its place, that nobody writes into."""
    file.unlink()
    os.mkfifo(file)


def renamed(file: Path, dice: random.Random) -> None:
    """Its name is an odd one."""
    name = dice.choice(
        ["-rf", "{x}", "%s", "a" * 240, " ", "é\u0301", "x\ny", "\udcff", "CON", "~"]
    )
    file.rename(file.with_name(name + file.suffix))


def value(file: Path, dice: random.Random) -> None:
    """A value of a JSON file, or of a line of one, is a hostile one; else words are."""
    lines = file.read_text("utf-8", "surrogateescape").split("\n")
    number = dice.randrange(len(lines)) if file.suffix == ".jsonl" else None
    try:
        whole = json.loads(lines[number] if number is not None else "\n".join(lines))
    except (ValueError, RecursionError):
        words(file, dice)
        return
    for _ in range(dice.choice([1, 1, 3])):
        whole = _with(whole, dice)
    text = json.dumps(whole)
    if number is not None:
        lines[number] = text
        text = "\n".join(lines)
    file.write_text(text, "utf-8", "surrogateescape")


def deep(file: Path, dice: random.Random) -> None:
    """It is nested without end."""
    file.write_bytes(dice.choice([b"[", b'{"a":', b"<a>", b"- ", b"a: {b: "]) * 100_000)


def _with(whole: Any, dice: random.Random) -> Any:
    if isinstance(whole, dict | list) and whole and dice.random() < 0.85:
        key = dice.choice(list(whole)) if isinstance(whole, dict) else dice.randrange(len(whole))
        whole[key] = _with(whole[key], dice)
        return whole
    return copy.deepcopy(dice.choice(HOSTILE))


ANY: list[Mutation] = [cut, flip, words, empty, thrice, long, folder, gone, link, pipe, renamed]
OF_TEXT: list[Mutation] = [value, value, value, words, words, deep, cut, flip]
TEXTS = (".json", ".jsonl", ".csv", ".tsv", ".txt", ".xml", ".yaml", ".names", ".data")


def mutate(root: Path, dice: random.Random) -> str:
    """One or two mutations of a data set; what they were."""
    told = []
    for _ in range(dice.choice([1, 1, 2])):
        files = sorted(one for one in root.rglob("*") if one.is_file() and not one.is_symlink())
        texts = [one for one in files if one.suffix in TEXTS]
        of_text = bool(texts) and dice.random() < 0.7
        if not files:
            break
        file, how = (dice.choice(texts), dice.choice(OF_TEXT)) if of_text else (
            dice.choice(files), dice.choice(ANY))  # fmt: skip
        told.append(f"{how.__name__} {file.relative_to(root)!s}")
        how(file, dice)
    return "; ".join(told)
