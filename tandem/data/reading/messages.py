"""One line of a conversation as turns: what is written in any of the usual ways, and all of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from tandem.data.faults import Faults
from tandem.data.reading.encodings import is_whole_text
from tandem.data.reading.files import JsonObject

Turn = dict[str, object]
"""role, content (a text, None, or OpenAI's list of parts), and what else the turn says."""
ROLES = {"human": "user", "gpt": "assistant", "user": "user", "assistant": "assistant",
         "system": "system", "developer": "system", "tool": "tool", "function": "tool",
         "observation": "tool", "chatgpt": "assistant", "model": "assistant"}  # fmt: skip
CALL = "function_call"
"""ShareGPT's role of a turn in which the assistant calls a tool."""
INSTRUCTION = ("instruction", "input", "response", "output", "history")
"""What becomes turns of an instruction; `system` too."""
IMAGES = ("images", "image")


@dataclass
class Conversation:
    """The turns, and every other field of the line as it stands."""

    turns: list[Turn]
    fields: JsonObject = field(default_factory=dict)

    @property
    def text(self) -> str:
        """What is said, a turn a line."""
        return "\n".join(_said(turn) for turn in self.turns)

    def images(self) -> list[str] | None:
        """The names of the pictures beside the turns; None where they are not names."""
        found: list[str] = []
        for key in IMAGES:
            given = self.fields.get(key)
            for one in given if isinstance(given, list) else [given] if given else []:
                name = one.get("path") if isinstance(one, dict) else one
                if not isinstance(name, str):
                    return None
                found.append(name)
        return found

    def images_within(self) -> list[str]:
        """The names of those that stand in the turns themselves, as parts of a content."""
        parts = [part for turn in self.turns if isinstance(content := turn["content"], list)
                 for part in content if isinstance(part, dict)]  # fmt: skip
        named = [one.get("url") if isinstance(one, dict) else one for part in parts
                 for one in (part.get("image"), part.get("image_url"))]  # fmt: skip
        return [one for one in named if isinstance(one, str)]


def conversation(row: JsonObject, file: str, line: int, faults: Faults) -> Conversation | None:
    """The turns of one line; None where a fault says what is wrong with it."""
    talks = [key for key in ("messages", "conversations") if row.get(key)]
    ways = [*talks, *(["instruction"] if "instruction" in row else [])]
    if len(ways) > 1:
        faults.add(file, line, "it has {names}, and only one of them can be meant",
                   names=", ".join(ways))  # fmt: skip
        return None
    turns = _instruction(row, file, line, faults) if ways == ["instruction"] else (
        _turns(row[ways[0]], file, line, faults) if ways else _plain(row, file, line, faults)
    )  # fmt: skip
    if turns is None:
        return None
    used = {*(INSTRUCTION if ways == ["instruction"] else ways or ("text",))}
    if _take_system(row, turns):
        used.add("system")
    fields = {key: value for key, value in row.items()
              if key not in used and value not in (None, "", [], {})}  # fmt: skip
    return _checked(Conversation(turns, fields), file, line, faults)


def _checked(found: Conversation, file: str, line: int, faults: Faults) -> Conversation | None:
    if found.turns[-1]["role"] != "assistant":
        faults.add(file, line, "the last turn is not the assistant's")
        return None
    whole = json.dumps([found.turns, found.fields], ensure_ascii=False)
    if not is_whole_text(whole):
        faults.add(file, line, "half a character stands in it (a lone surrogate)")
        return None
    return found


def _take_system(row: JsonObject, turns: list[Turn]) -> bool:
    system = row.get("system")
    if not isinstance(system, str) or not system.strip() or turns[0]["role"] == "system":
        return False
    turns.insert(0, {"role": "system", "content": system})
    return True


def _instruction(row: JsonObject, file: str, line: int, faults: Faults) -> list[Turn] | None:
    asked, more = row["instruction"], row.get("input") or ""
    answer = row["response"] if row.get("response") is not None else row.get("output")
    if not isinstance(asked, str) or not isinstance(more, str) or not (
        isinstance(answer, str) and answer.strip()
    ):  # fmt: skip
        faults.add(file, line, "an instruction needs a response (or output)")
        return None
    if row.get("response") and row.get("output") and row["response"] != row["output"]:
        faults.add(file, line, "it has {names}, and only one of them can be meant",
                   names="response, output")  # fmt: skip
        return None
    asked = "\n".join(one for one in (asked, more) if one)
    if not asked.strip():
        faults.add(file, line, "an instruction needs a response (or output)")
        return None
    history = row.get("history") or []
    if not isinstance(history, list) or not all(
        isinstance(pair, list) and len(pair) == 2 and all(isinstance(one, str) for one in pair)
        for pair in history
    ):
        faults.add(file, line, "its history is no list of pairs of texts")
        return None
    pairs = [*history, [asked, answer]]
    return [{"role": role, "content": text} for pair in pairs
            for role, text in zip(("user", "assistant"), pair, strict=True)]  # fmt: skip


def _plain(row: JsonObject, file: str, line: int, faults: Faults) -> list[Turn] | None:
    text = row.get("text")
    if isinstance(text, str) and text.strip():
        return [{"role": "assistant", "content": text}]
    faults.add(file, line, "it has neither instruction, conversations, messages nor text")
    return None


def _turns(given: object, file: str, line: int, faults: Faults) -> list[Turn] | None:
    if not isinstance(given, list):
        faults.add(file, line, "it has neither instruction, conversations, messages nor text")
        return None
    found = []
    for one in given:
        turn = _turn(one)
        if turn is None:
            faults.add(file, line, "a turn has no role or no content")
            return None
        found.append(turn)
    return found


def _turn(given: object) -> Turn | None:
    if not isinstance(given, dict):
        return None
    role, content = given.get("role", given.get("from")), given.get("content", given.get("value"))
    rest = {key: value for key, value in given.items()
            if key not in ("role", "from", "content", "value") and value is not None}  # fmt: skip
    if role == CALL:
        return _call(content, rest)
    if not isinstance(role, str) or role not in ROLES:
        return None
    called = bool(rest.get("tool_calls") or rest.get(CALL))
    if isinstance(content, list):
        if not content or not all(isinstance(part, dict) and isinstance(part.get("type"), str)
                                  for part in content):  # fmt: skip
            return None
    elif not (isinstance(content, str) and content.strip()) and not (called and not content):
        return None
    return {"role": ROLES[role], "content": content, **rest}


def _call(content: object, rest: JsonObject) -> Turn | None:
    """ShareGPT writes a call as JSON in the turn's text."""
    try:
        told = json.loads(content) if isinstance(content, str) else content
    except (ValueError, RecursionError):
        return None
    calls = told if isinstance(told, list) else [told]
    if not calls or not all(isinstance(one, dict) and isinstance(one.get("name"), str)
                            for one in calls):  # fmt: skip
        return None
    made = [{"type": "function", "function": one} for one in calls]
    return {"role": "assistant", "content": None, "tool_calls": made, **rest}


def _said(turn: Turn) -> str:
    content = turn["content"]
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, dict)]
        return "\n".join(one for one in texts if isinstance(one, str))
    return content if isinstance(content, str) else ""
