"""Random numbers of a view: from its picture and its own number alone."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray


class ViewNumbers:
    """Uniform numbers from each picture's own key (SplitMix64, Steele et al. 2014)."""

    def __init__(
        self, keys_n: NDArray[np.uint64], view_n: NDArray[np.int64], purpose: str = ""
    ) -> None:
        self.state_n: NDArray[np.uint64] = keys_n + view_n.astype(np.uint64) * np.uint64(
            0xD1342543DE82EF95
        )
        if purpose:
            # A stream of its own: what is drawn for one purpose moves nothing that another draws.
            digest = hashlib.blake2b(purpose.encode(), digest_size=8).digest()
            self.state_n ^= np.uint64(int.from_bytes(digest))

    def uniform(self, low: float, high: float) -> NDArray[np.float64]:
        """The next number of each, from `low` up to `high`."""
        self.state_n = self.state_n + np.uint64(0x9E3779B97F4A7C15)
        x = self.state_n
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        x = x ^ (x >> np.uint64(31))
        unit_n: NDArray[np.float64] = (x >> np.uint64(11)).astype(np.float64) * 2.0**-53
        return low + (high - low) * unit_n

    def normal(self) -> NDArray[np.float64]:
        """The next number of each, of mean 0 and deviation 1 (Box and Muller 1958)."""
        radius_n = np.sqrt(-2 * np.log(1 - self.uniform(0, 1)))
        drawn_n: NDArray[np.float64] = radius_n * np.cos(2 * np.pi * self.uniform(0, 1))
        return drawn_n
