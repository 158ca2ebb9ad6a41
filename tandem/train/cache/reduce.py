"""Dense tokens made small enough to read in every step: principal components of a sample."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tandem.spec.errors import CacheError
from tandem.train.cache.disk import room, write_array

FORM = "std"
"""In the names of dense parts: each component has a scale of its own."""
FLOOR = 0.1
"""A component of less than so much of the median variance is divided as if it had that much: noise
would else weigh as much as what is there to be learnt."""
LEAST = 1e-6
"""The same of the mean, where most components hardly vary."""
FIT_IMAGES = 512
"""Pictures whose tokens the components are fitted on, spread evenly over the table."""


@dataclass(frozen=True)
class Reduction:
    """z = ((x - mean) basis) / scale, so that z has the mean square 1 over the fitted tokens.

    Each component has a scale of its own, its deviation (with `FLOOR`): with one for all a mean
    squared error sees the few largest almost alone, as towers have channels of a hundred times the
    others' variance (Darcet et al. 2023; RADIO standardises for the same reason, Ranzinger et al.
    2024).
    """

    mean_D: Tensor
    basis_DR: Tensor | None
    """Columns are the components, the largest first. None: all dimensions are kept."""
    scale_R: Tensor
    hashes_F: NDArray[np.uint8]
    """(F, 16): the pictures it was fitted on."""

    @property
    def width(self) -> int:
        """R."""
        return int(self.mean_D.shape[0] if self.basis_DR is None else self.basis_DR.shape[1])

    def to(self, device: torch.device) -> Reduction:
        """The same on `device`."""
        basis_DR = None if self.basis_DR is None else self.basis_DR.to(device)
        scale_R = self.scale_R.to(device)
        return Reduction(self.mean_D.to(device), basis_DR, scale_R, self.hashes_F)

    def apply(self, tokens_BHWD: Tensor) -> Tensor:
        """(B, H, W, R) float32."""
        centred_BHWD = tokens_BHWD.float() - self.mean_D
        if self.basis_DR is not None:
            centred_BHWD = centred_BHWD @ self.basis_DR
        return centred_BHWD / self.scale_R

    def lift(self, moved_BR: Tensor) -> Tensor:
        """(B, D): a difference of two reduced tokens as one of full tokens."""
        moved_BR = moved_BR * self.scale_R
        return moved_BR if self.basis_DR is None else moved_BR @ self.basis_DR.T

    def reproject(self, weight_KD: Tensor) -> tuple[Tensor, Tensor]:
        """A linear head on full tokens as one on reduced tokens: weight (K, R), offset (K,)."""
        weight_KD = weight_KD.to(self.mean_D)
        basis_KR = weight_KD if self.basis_DR is None else weight_KD @ self.basis_DR
        return basis_KR * self.scale_R, weight_KD @ self.mean_D

    def save(self, file: Path) -> None:
        """One array: hashes as a row of bytes would not fit floats, so they lie beside it."""
        basis = (
            torch.empty(0, len(self.mean_D)) if self.basis_DR is None else self.basis_DR.T
        ).cpu()
        stacked = torch.cat([self.mean_D[None].cpu(), basis]).numpy().astype(np.float32)
        with room(file.parent):
            file.parent.mkdir(parents=True, exist_ok=True)
            # The array itself last: `load_reduction` takes its being there for all three.
            write_array(file.with_suffix(".hashes.npy"), self.hashes_F)
            write_array(file.with_suffix(".scale.npy"), self.scale_R.cpu().numpy())
            write_array(file, stacked)


def load_reduction(file: Path) -> Reduction | None:
    """What `save` wrote; None where it is not there. CacheError for anything else."""
    if not file.exists():
        return None
    try:
        stacked = np.load(file, allow_pickle=False)
        hashes_F = np.load(file.with_suffix(".hashes.npy"), allow_pickle=False)
        scale_R = np.load(file.with_suffix(".scale.npy"), allow_pickle=False)
    except (OSError, ValueError, EOFError, IndexError) as error:
        raise _broken(file) from error
    whole = stacked.ndim == 2 and stacked.dtype == np.float32 and len(stacked) >= 1
    if not whole or hashes_F.ndim != 2 or hashes_F.shape[1] != 16:
        raise _broken(file)
    width = len(stacked) - 1 or stacked.shape[1]
    if scale_R.dtype == np.float64 and scale_R.shape == (1,):  # one for all, as once written
        scale_R = scale_R.astype(np.float32).repeat(width)
    if scale_R.dtype != np.float32 or scale_R.shape != (width,) or not (scale_R > 0).all():
        raise _broken(file)
    basis_DR = torch.from_numpy(stacked[1:]).T.contiguous() if len(stacked) > 1 else None
    return Reduction(torch.from_numpy(stacked[0]), basis_DR, torch.from_numpy(scale_R), hashes_F)


def _broken(file: Path) -> CacheError:
    return CacheError(
        "The cache's components in {file} are damaged.",
        file=file,
        fix="Delete the folder {folder}; it will be filled anew.",
        folder=file.parent,
    )


def fit_rows(count: int) -> NDArray[np.int64]:
    """Which rows of a table the components are fitted on."""
    return np.unique(np.linspace(0, count - 1, min(count, FIT_IMAGES)).round().astype(np.int64))


def fit(parts: list[Tensor], dims: int | None, hashes_F: NDArray[np.uint8]) -> Reduction:
    """The components of tokens (B, H, W, D), given in batches, by their covariance in float64.

    The sign of each component is made definite: its largest entry is positive, so that the same
    tokens give the same bytes on every machine.
    """
    width = parts[0].shape[-1]
    total_D = torch.zeros(width, dtype=torch.float64)
    square_DD = torch.zeros(width, width, dtype=torch.float64)
    count = 0
    for tokens in parts:
        # In float64 and summed in order: the difference of two large sums would lose small
        # components in float32, and every process must find the same ones.
        flat_ND = tokens.reshape(-1, width).double().cpu()
        total_D += flat_ND.sum(0)
        square_DD += flat_ND.T @ flat_ND
        count += len(flat_ND)
    mean_D = total_D / count
    covariance_DD = square_DD / count - mean_D[:, None] * mean_D[None]
    basis_DR = None
    kept = width if dims is None else min(dims, width)
    variance_R = covariance_DD.diagonal()
    if kept < width:
        # eigh sorts from the smallest up.
        values_D, vectors_DD = torch.linalg.eigh(covariance_DD)
        basis_DR = vectors_DD.flip(1)[:, :kept]
        strongest_R = basis_DR.abs().argmax(0)
        signs_R = torch.sign(basis_DR[strongest_R, torch.arange(kept)])
        basis_DR = (basis_DR * signs_R).float().contiguous()
        variance_R = values_D.flip(0)[:kept]
    return Reduction(mean_D.float(), basis_DR, _scales(variance_R).float(), hashes_F)


def _scales(variance_R: Tensor) -> Tensor:
    """What each component is divided by: in the end all have the mean square 1 together."""
    variance_R = variance_R.clamp(min=0)
    mean = variance_R.mean()
    if not mean > 0:  # tokens that are all alike
        return torch.full_like(variance_R, 1e-6)
    # Of the median: an outlier's variance alone can be most of the mean.
    floor = max(FLOOR * float(variance_R.median()), LEAST * float(mean))
    scale_R = variance_R.clamp(min=floor).sqrt()
    scales: Tensor = scale_R * (variance_R / scale_R.square()).mean().sqrt()
    return scales
