"""What stands beside the turns of a conversation is kept, or a fault says why not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tandem.data.inspection.check import report
from tandem.data.writing.convert import convert
from tests.data import make

USER, ASSISTANT = {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}
SYSTEM = {"role": "system", "content": "be kind"}
CALL = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def put(path: Path, *rows: dict[str, Any], name: str = "train.jsonl") -> None:
    make.write(path / name, "".join(f"{json.dumps(row)}\n" for row in rows))


def written(path: Path) -> list[dict[str, Any]]:
    said = convert(path, path.parent / "out", "instruction")
    assert not said.lost
    lines = (path.parent / "out" / "train.jsonl").read_text("utf-8").splitlines()
    return [json.loads(one) for one in lines]


@pytest.mark.parametrize(
    ("row", "wanted"),
    [
        ({"instruction": "now", "input": "x", "output": "a", "system": "be kind",
          "history": [["q", "a"]], "id": 7},
         {"messages": [SYSTEM, USER, ASSISTANT, {"role": "user", "content": "now\nx"}, ASSISTANT],
          "id": 7}),
        ({"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}],
          "system": "be kind", "tools": "[]"},
         {"messages": [SYSTEM, USER, ASSISTANT], "tools": "[]"}),
        ({"conversations": [{"from": "human", "value": "q"},
                            {"from": "function_call", "value": '{"name": "f", "arguments": {}}'},
                            {"from": "observation", "value": "3"},
                            {"from": "gpt", "value": "a"}]},
         {"messages": [USER, {"role": "assistant", "content": None, "tool_calls": [
             {"type": "function", "function": {"name": "f", "arguments": {}}}]},
             {"role": "tool", "content": "3"}, ASSISTANT]}),
        ({"messages": [USER, {"role": "assistant", "content": None, "tool_calls": [CALL]},
                       {"role": "tool", "content": "3", "tool_call_id": "1"},
                       ASSISTANT | {"weight": 0}], "tools": [{"type": "function"}],
          "parallel_tool_calls": False},
         None),
        ({"messages": [{"role": "user", "content": [
            {"type": "text", "text": "q"},
            {"type": "image_url", "image_url": {"url": "https://x/a.png"}}]}, ASSISTANT]}, None),
        ({"messages": [USER, ASSISTANT], "text": "<s>q a</s>", "rejected": {"value": "b"}}, None),
        ({"text": "plain", "source": "web"},
         {"messages": [{"role": "assistant", "content": "plain"}], "source": "web"}),
    ],
)  # fmt: skip
def test_all_of_a_line_is_kept(
    row: dict[str, Any], wanted: dict[str, Any] | None, tmp_path: Path
) -> None:
    path = tmp_path / "one"
    put(path, row)
    make.write(path / "meta.json", '{"type": "instruction"}')
    assert report(path).ok
    assert written(path) == [wanted or row]


def test_images_beside_the_turns_are_looked_for_and_copied(tmp_path: Path) -> None:
    path = tmp_path / "one"
    make.draw(path / "pictures" / "a.png")
    make.draw(path / "b.png")
    within = {"role": "user", "content": [{"type": "image", "image": "b.png"}]}
    rows = [{"messages": [{"role": "user", "content": "<image>q"}, ASSISTANT],
             "images": ["pictures/a.png"]}, {"messages": [within, ASSISTANT]}]  # fmt: skip
    put(path, *rows)
    assert written(path) == rows
    assert (tmp_path / "out" / "pictures" / "a.png").is_file()
    assert (tmp_path / "out" / "b.png").is_file()


def test_an_image_that_is_not_there_is_told_and_its_name_kept(tmp_path: Path) -> None:
    row = {"messages": [USER, ASSISTANT], "images": ["gone.png"]}
    put(tmp_path / "one", row)
    said = report(tmp_path / "one")
    assert said.ok
    assert [one.what() for one in said.faults] == ["the picture gone.png is not there"]
    assert written(tmp_path / "one") == [row]


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"messages": [USER, ASSISTANT], "image": "../out.png"},
         "the picture ../out.png is not there"),
        ({"messages": [USER, ASSISTANT], "images": [3]}, "its pictures are named by no text"),
        ({"messages": [{"role": "user", "content": "<image><image>q"}, ASSISTANT],
          "images": ["a.png"]}, "its turns have 2 places for pictures, and 1 pictures are named"),
        ({"messages": [USER, ASSISTANT], "instruction": "x", "output": "y"},
         "it has messages, instruction, and only one of them can be meant"),
        ({"instruction": "x", "output": "y", "response": "z"},
         "it has response, output, and only one of them can be meant"),
        ({"instruction": "x", "output": "y", "history": ["z"]},
         "its history is no list of pairs of texts"),
        ({"messages": [{"role": "user", "content": "\ud800"}, ASSISTANT]},
         "half a character stands in it (a lone surrogate)"),
        ({"messages": [{"role": "user", "content": [3]}, ASSISTANT]},
         "a turn has no role or no content"),
        ({"conversations": [{"from": "function_call", "value": "f()"}]},
         "a turn has no role or no content"),
    ],
)  # fmt: skip
def test_what_cannot_be_kept_is_a_fault(row: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    make.draw(tmp_path / "one" / "a.png")
    make.draw(tmp_path / "out.png")
    put(tmp_path / "one", {"messages": [USER, ASSISTANT]}, row)
    assert [one.sentence() for one in report(tmp_path / "one").faults] == [
        f"train.jsonl:2: {sentence}"
    ]


def test_splits_by_their_other_names(tmp_path: Path) -> None:
    for name in ("train.jsonl", "dev.jsonl", "test.jsonl"):
        put(tmp_path, {"messages": [USER, ASSISTANT | {"content": name}]}, name=name)
    content, faults = make.read(tmp_path)
    assert not faults
    assert [split for split, _ in content.splits()] == ["train", "val", "test"]
