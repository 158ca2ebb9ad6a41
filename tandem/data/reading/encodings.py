"""What a text file is written in: UTF-8, UTF-16 with its mark, or GBK, and nothing by guess."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from tandem.data.reading.files import read_bytes
from tandem.spec.errors import DataError
from tandem.spec.i18n import t

UTF_8, UTF_16, GBK = "utf-8-sig", "utf-16", "gb18030"
SHOWN = {UTF_16: "UTF-16", GBK: "GBK"}
MOST_RARE = 0.5
"""The share of characters that GB2312 lacks, beyond ASCII, above which it is no Chinese in GBK."""
_TWO_BYTES = "\u07ff"
_RARE = re.compile(r"[\u0180-\u019f\u01a2-\u01ae\u01b1-\u02ff\u0370-\u0385\u0460-\u052f]")
"""Letters of two bytes that hardly any name holds: African, phonetic, old Greek and Cyrillic."""


def read_text(file: Path) -> tuple[str, str]:
    """The text and its encoding. DataError for what cannot be read, or in no encoding for sure."""
    raw = read_bytes(file)
    try:
        return decoded(raw)
    except UnicodeDecodeError as error:
        raise DataError(
            "{path} is neither UTF-8 nor GBK.", path=file, fix="Save it as UTF-8."
        ) from error


def read_told(file: Path, notes: list[str]) -> str:
    """The text; an encoding other than UTF-8 is told in `notes`."""
    text, encoding = read_text(file)
    if encoding in SHOWN:
        notes.append(t("{file} is not UTF-8; it was read as {encoding}.", file=file.name,
                       encoding=SHOWN[encoding]))  # fmt: skip
    return text


def decoded(raw: bytes) -> tuple[str, str]:
    """The text and its encoding; UnicodeDecodeError where none is certain."""
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return raw.decode(UTF_16), UTF_16
    try:
        text = raw.decode(UTF_8)
        if text.isascii() or not is_rather_gbk(raw):
            return text, UTF_8
    except UnicodeDecodeError:
        pass
    text = raw.decode(GBK)
    wide = [one for one in text if one > "\x7f"]
    # Most bytes of Latin-1 are GBK too, as characters that hardly anybody writes.
    if sum(not _is_common(one) for one in wide) > MOST_RARE * len(wide):
        raise UnicodeDecodeError(GBK, raw[:1], 0, 1, "hardly a character is a usual one")
    return text, GBK


def is_rather_gbk(raw: bytes) -> bool:
    """Whether bytes that are UTF-8 too are Chinese, as 图片 is: usual there, and here ͼƬ."""
    try:
        here = raw.decode(UTF_8)
        if not _RARE.search(here) or max(here) > _TWO_BYTES:
            return False
        return all(_is_common(one) for one in raw.decode(GBK) if one > "\x7f")
    except UnicodeDecodeError:
        return False


def _is_common(letter: str) -> bool:
    try:
        letter.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True


def is_whole_text(text: str) -> bool:
    """Whether no half of a character stands in it: a lone surrogate can be written nowhere."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
