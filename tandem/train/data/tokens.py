"""A tokenizer: a checkpoint's own, one that lies beside a model, or one made of the texts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from tandem.spec.errors import StudentError, TeacherError

FILE = "tokenizer.json"
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
PADS = ("[PAD]", "<pad>", "<|endoftext|>", "</s>")
MOST_WORDS = 16_000
"""Words of a vocabulary made from the texts: more would each be seen too seldom."""
CHUNK = 4096


@dataclass(frozen=True)
class Tokens:
    """One tokenizer."""

    tokenizer: Tokenizer

    @cached_property
    def text(self) -> str:
        """The file's text: two tokenizers that agree in it give the same numbers."""
        plain = Tokenizer.from_str(self.tokenizer.to_str())
        plain.no_padding()
        plain.no_truncation()
        return str(plain.to_str())

    @cached_property
    def digest(self) -> str:
        return hashlib.blake2b(self.text.encode(), digest_size=16).hexdigest()

    @property
    def words(self) -> int:
        """How many the vocabulary has, with what was added to it."""
        return max(self.tokenizer.get_vocab(with_added_tokens=True).values()) + 1

    @property
    def pad(self) -> int:
        """The number that fills a short text; 0 where none is named so."""
        found = [self.tokenizer.token_to_id(one) for one in PADS]
        return next((one for one in found if one is not None), 0)

    def lengths(self, texts: Sequence[str], seconds: Sequence[str | None]) -> NDArray[np.int64]:
        """Tokens of each text, none of them cut."""
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()
        parts = [
            [len(one.ids) for one in self.tokenizer.encode_batch(_pairs(texts, seconds, at))]
            for at in range(0, len(texts), CHUNK)
        ]
        return np.array([one for part in parts for one in part], np.int64)

    def encode(
        self, texts: Sequence[str], seconds: Sequence[str | None], length: int
    ) -> NDArray[np.int32]:
        """(N, 3, length): ids, attention mask and types, cut or padded to `length` tokens."""
        self.tokenizer.enable_truncation(length)
        self.tokenizer.enable_padding(length=length, pad_id=self.pad)
        out = np.empty((len(texts), 3, length), np.int32)
        for at in range(0, len(texts), CHUNK):
            for place, one in enumerate(self.tokenizer.encode_batch(_pairs(texts, seconds, at))):
                out[at + place] = one.ids, one.attention_mask, one.type_ids
        return out


def _pairs(
    texts: Sequence[str], seconds: Sequence[str | None], at: int
) -> list[str | tuple[str, str]]:
    some = zip(texts[at : at + CHUNK], seconds[at : at + CHUNK], strict=True)
    return [first if second is None else (first, second) for first, second in some]


def from_folder(folder: Path) -> Tokens:
    """`tokenizer.json` of a model's folder. StudentError where there is none that is whole."""
    file = folder / FILE
    try:
        text = file.read_text(encoding="utf-8")
        found = json.loads(text)
        # The library raises a bare Exception for what is none: look first.
        if not isinstance(found, dict) or not isinstance(found.get("model"), dict):
            raise ValueError("no model in it")
    except (OSError, ValueError) as error:
        raise StudentError(
            "There is no whole {name} in {path}: {reason}.",
            name=FILE,
            path=folder,
            reason=str(error)[:120],
            fix="Copy the whole folder of the model.",
        ) from error
    return Tokens(Tokenizer.from_str(text))


def from_checkpoint(source: str, local: bool) -> Tokens:
    """The tokenizer of a checkpoint that transformers reads. TeacherError where it has none."""
    from transformers import AutoTokenizer

    try:
        found = AutoTokenizer.from_pretrained(
            source, local_files_only=local, trust_remote_code=False
        )
        return Tokens(Tokenizer.from_str(found.backend_tokenizer.to_str()))
    except (OSError, ValueError, KeyError, AttributeError, ImportError) as error:
        raise TeacherError(
            "The checkpoint {name} has no tokenizer that can be read: {reason}.",
            name=source,
            reason=str(error).splitlines()[0][:120] if str(error) else type(error).__name__,
            fix="Copy tokenizer.json (or vocab.txt) into its folder.",
        ) from error


def learnt(texts: Iterable[str]) -> Tokens:
    """WordPiece (Schuster and Nakajima 2012) of these texts; Chinese letters stand alone."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(
        vocab_size=MOST_WORDS, special_tokens=list(SPECIAL), show_progress=False, min_frequency=2
    )
    tokenizer.train_from_iterator(texts, trainer)
    numbers = {name: number for number, name in enumerate(SPECIAL)}  # they come first
    tokenizer.post_processor = processors.BertProcessing(
        ("[SEP]", numbers["[SEP]"]), ("[CLS]", numbers["[CLS]"])
    )
    return Tokens(tokenizer)
