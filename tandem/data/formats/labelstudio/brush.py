"""Label Studio's own run lengths of a brush (@thi.ng/rle-pack, over the bytes of RGBA pixels)."""

from __future__ import annotations

import numpy as np

from tandem.data.images import MOST_MASK_PIXELS
from tandem.data.masks import MaskPixels

CHANNELS = 4
_HEAD = (32, 5, 4, 4, 4, 4)
"""Bits of the number of words, of a word's size, and of the four sizes of a length."""
SIZES = (3, 4, 8, 16)
"""Those that are written: bits of a run's length, by the two bits before it."""


def decode(code: object, height: int, width: int) -> MaskPixels | None:
    """(height, width) of 0 and 1: where the brush has painted at all; None for what is no mask."""
    most = height * width * CHANNELS
    if not isinstance(code, list) or most > MOST_MASK_PIXELS * CHANNELS or not all(
        isinstance(one, int) and 0 <= one <= 255 for one in code
    ):  # fmt: skip
        return None
    bits = _Bits("".join(f"{one:08b}" for one in code))
    try:
        count, word, *sizes = (bits.take(one) for one in _HEAD)
        if count != most:
            return None
        values = np.zeros(count, np.uint8)
        here = 0
        while here < count:
            is_run = bits.take(1)
            end = here + 1 + bits.take(sizes[bits.take(2)] + 1)
            if end > count:
                return None
            if is_run:
                values[here:end] = bits.take(word + 1) & 255
            else:
                values[here:end] = [bits.take(word + 1) & 255 for _ in range(here, end)]
            here = end
    except ValueError:  # it ends too early
        return None
    alpha_HW = values.reshape(height, width, CHANNELS)[:, :, 3]
    return (alpha_HW > 0).astype(np.uint8)


def encode(mask: MaskPixels) -> list[int]:
    """The run lengths of a mask of 0 and 1, its four channels alike."""
    flat = mask.reshape(-1)
    starts = np.concatenate(([0], np.flatnonzero(np.diff(flat)) + 1, [flat.size]))
    head = (flat.size * CHANNELS, 7, *(one - 1 for one in SIZES))
    parts = [_bits(number, bits) for number, bits in zip(head, _HEAD, strict=True)]
    for start, end in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        rest, value = (end - start) * CHANNELS, 255 * int(flat[start])
        while rest:
            length = min(rest, 2 ** SIZES[-1])
            place = next(n for n, bits in enumerate(SIZES) if length <= 2**bits)
            parts += ["1", _bits(place, 2), _bits(length - 1, SIZES[place]), _bits(value, 8)]
            rest -= length
    whole = np.frombuffer("".join(parts).encode(), np.uint8) - ord("0")
    return [int(one) for one in np.packbits(whole)]


def _bits(number: int, count: int) -> str:
    return f"{number:0{count}b}"


class _Bits:
    def __init__(self, text: str) -> None:
        self.text, self.place = text, 0

    def take(self, count: int) -> int:
        """The next bits as a number; ValueError at the end."""
        start, self.place = self.place, self.place + count
        if self.place > len(self.text):
            raise ValueError
        return int(self.text[start : self.place], 2)
