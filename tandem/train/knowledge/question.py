"""The question asked for label scoring: its words, and the one token that stands for each class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from string import ascii_lowercase, ascii_uppercase

from tandem.spec.errors import SpecError
from tandem.train.pretrained.qwen_language import Tokenizer

MARK = "{options}"
DEFAULT_PROMPT = (
    "Which of these does the picture show?\n{options}\nAnswer with the code of one of them only."
)
DEFAULT_PROMPT_WITHOUT_CODES = (
    "Which of these does the picture show?\n{options}\nAnswer with the name of one of them only."
)


@dataclass(frozen=True)
class Wording:
    """`prompt` holds `{options}`; None asks the default."""

    prompt: str | None
    classes: tuple[str, ...]
    orders: int

    def __post_init__(self) -> None:
        if self.prompt is not None and MARK not in self.prompt:
            raise SpecError(
                "teacher.prompt does not say where the labels go.",
                got=self.prompt,
                allowed=[f"… {MARK} …"],
                fix="Put {mark} where the list of labels belongs, or leave teacher.prompt out.",
                mark=MARK,
            )

    def permutations(self) -> list[list[int]]:
        """For each order: the class at each place. Turns of the list, so that places even out."""
        count = len(self.classes)
        turns = min(self.orders, count)
        return [
            [(place + turn * count // turns) % count for place in range(count)]
            for turn in range(turns)
        ]

    def text(self, order: Sequence[int], codes: Sequence[str] | None) -> str:
        """The question with the classes in this order, each after its code if there are codes."""
        names = [self.classes[i] for i in order]
        if codes is None:
            lines = [f"- {name}" for name in names]
            return (self.prompt or DEFAULT_PROMPT_WITHOUT_CODES).replace(MARK, "\n".join(lines))
        lines = [f"{code}. {name}" for code, name in zip(codes, names, strict=False)]
        return (self.prompt or DEFAULT_PROMPT).replace(MARK, "\n".join(lines))


def single_token_codes(tokenizer: Tokenizer, count: int) -> dict[str, int] | None:
    """`count` codes and their token, each one token long; None when the tokenizer has too few.

    Letters first, then pairs and triples of capitals, then small letters and digits.
    """
    codes: dict[str, int] = {}
    taken: set[int] = set()
    for code in _candidates():
        tokens = tokenizer.encode(code, add_special_tokens=False)
        if len(tokens) == 1 and tokens[0] not in taken:
            codes[code] = tokens[0]
            taken.add(tokens[0])
        if len(codes) == count:
            return codes
    return None


def _candidates() -> Iterator[str]:
    yield from ascii_uppercase
    for length in (2, 3):
        yield from ("".join(letters) for letters in product(ascii_uppercase, repeat=length))
    yield from ascii_lowercase
    yield from "0123456789"
