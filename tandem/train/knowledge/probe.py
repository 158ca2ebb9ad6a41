"""A linear probe: class knowledge from pooled features and a few labels, in seconds.

Multinomial logistic regression (Alain & Bengio 2016), one head for each fold's complement and one
for all labelled rows, so that a sample's soft label never comes from a head fitted on it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy

from tandem.spec.errors import DataError
from tandem.train.knowledge.calibrate import fit_temperature
from tandem.train.types import UNLABELLED, Reprojection, RowIndices, Signals

# Strengths of the penalty ½·l2·‖W‖² on the summed loss, strongest first: each fit starts at the
# last one's answer, and the first that does worse out of fold ends the search.
L2_PATH = (1000.0, 100.0, 10.0, 1.0, 0.1, 0.01)
BIAS_L2 = 1e-2  # keeps the bias of a class that a fold lacks finite
STEPS = 100
SURE_NATS = 0.01  # every row is right and sure of it: there is nothing left to choose
CHUNK_SCORES = 2**24


@dataclass
class Probe:
    """Heads on the raw pooled features: the standardisation is folded into them."""

    weight_FKD: Tensor
    """One head a fold, and last the head fitted on all labelled rows."""
    bias_FK: Tensor
    fold_N: RowIndices
    """The fold that left a row out; the last head's number for rows without a label."""
    temperature: float
    l2: float
    name: str = "probe"

    @staticmethod
    def fit(
        pooled_ND: NDArray[np.float32],
        labels_N: NDArray[np.int64],
        *,
        num_classes: int,
        folds: int,
        seed: int,
        calibrate: bool = True,
        device: torch.device | None = None,
        fold_n: RowIndices | None = None,
    ) -> Probe:
        """Rows labelled -1 are left out. The same arguments give the same probe.

        The penalty is the one whose out-of-fold likelihood is best, and the temperature is fitted
        on those out-of-fold logits. `fold_n` gives each labelled row's fold, where rows belong
        together; else they are drawn. DataError with fewer than two labelled classes.
        """
        rows = np.flatnonzero(labels_N != UNLABELLED)
        _check(labels_N[rows])
        folds = min(folds, len(rows))
        if fold_n is None:
            fold_n = stratified_folds(labels_N[rows], folds, seed)
        x_nD = torch.from_numpy(np.ascontiguousarray(pooled_ND[rows])).to(device).float()
        y_n = torch.from_numpy(labels_N[rows]).to(x_nD.device)
        mean_D, std_D = x_nD.mean(0), _spread(x_nD)
        problem = _Problem((x_nD - mean_D) / std_D, y_n, num_classes, fold_n, folds)
        weight_FKD, bias_FK, held_out_nK, l2 = problem.solve()
        temperature = fit_temperature(held_out_nK, labels_N[rows]) if calibrate else 1.0
        fold_N = np.full(len(labels_N), folds, dtype=np.int64)
        fold_N[rows] = fold_n
        weight_FKD = weight_FKD / std_D
        return Probe(
            weight_FKD.cpu(), (bias_FK - weight_FKD @ mean_D).cpu(), fold_N, temperature, l2
        )

    def logits(self, signals: Signals, fold_B: RowIndices | None) -> Tensor:
        """(B, K), calibrated; each row by the head of its fold."""
        pooled_BD = signals.pooled_BD
        assert pooled_BD is not None
        weight_FKD, bias_FK = self._on(pooled_BD)
        if fold_B is None:
            return (pooled_BD @ weight_FKD[-1].T + bias_FK[-1]) / self.temperature
        every_BFK = torch.einsum("bd,fkd->bfk", pooled_BD, weight_FKD) + bias_FK
        fold = torch.from_numpy(fold_B).to(pooled_BD.device)
        return every_BFK[torch.arange(len(fold), device=fold.device), fold] / self.temperature

    def class_map(self, signals: Signals, reduction: Reprojection | None) -> Tensor | None:
        """(B, H, W, K): the same head on each token, as pooled is the tokens' mean."""
        tokens_BHWD = signals.tokens_BHWD
        if tokens_BHWD is None:
            return None
        weight_FKD, bias_FK = self._on(tokens_BHWD)
        weight_KD, bias_K = weight_FKD[-1], bias_FK[-1]
        if reduction is not None:
            weight_KD, offset_K = reduction.reproject(weight_KD)
            bias_K = bias_K + offset_K
        return (tokens_BHWD @ weight_KD.T + bias_K) / self.temperature

    def state_dict(self) -> dict[str, Tensor]:
        """Everything that `load` needs to give the same logits, bit for bit."""
        return {
            "weight_FKD": self.weight_FKD,
            "bias_FK": self.bias_FK,
            "fold_N": torch.from_numpy(self.fold_N),
            "temperature": torch.tensor(self.temperature, dtype=torch.float64),
            "l2": torch.tensor(self.l2, dtype=torch.float64),
        }

    @staticmethod
    def load(state: dict[str, Tensor]) -> Probe:
        """The probe that `state_dict` came from."""
        return Probe(
            state["weight_FKD"],
            state["bias_FK"],
            state["fold_N"].numpy(),
            float(state["temperature"]),
            float(state["l2"]),
        )

    def _on(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """The heads on the device of `like`, moved once."""
        if self.weight_FKD.device != like.device:
            self.weight_FKD = self.weight_FKD.to(like.device)
            self.bias_FK = self.bias_FK.to(like.device)
        return self.weight_FKD, self.bias_FK


class _Problem:
    """All folds at once: a row counts in every head but that of its own fold."""

    def __init__(
        self, x_nD: Tensor, y_n: Tensor, classes: int, fold_n: RowIndices, folds: int
    ) -> None:
        self.x_nD, self.y_n, self.classes, self.folds = x_nD, y_n, classes, folds
        self.fold_n = torch.from_numpy(fold_n).to(x_nD.device)
        heads = torch.arange(folds + 1, device=x_nD.device)
        self.counts_Fn = (heads[:, None] != self.fold_n).to(x_nD.dtype)

    def solve(self) -> tuple[Tensor, Tensor, NDArray[np.float32], float]:
        """Heads, biases, out-of-fold logits and the penalty of the best strength tried."""
        F, D = self.folds + 1, self.x_nD.shape[1]
        weight = self.x_nD.new_zeros(F, self.classes, D)
        bias = self.x_nD.new_zeros(F, self.classes)
        best: tuple[float, Tensor, Tensor, Tensor, float] | None = None
        for l2 in L2_PATH:
            weight, bias = self._minimise(weight, bias, l2)
            held_out_nK = self._held_out(weight, bias)
            nats = float(cross_entropy(held_out_nK, self.y_n))
            if best is not None and nats >= best[0]:
                break
            best = (nats, weight, bias, held_out_nK, l2)
            if nats < SURE_NATS:
                break
        assert best is not None
        return best[1], best[2], best[3].cpu().numpy(), best[4]

    def _held_out(self, weight_FKD: Tensor, bias_FK: Tensor) -> Tensor:
        parts = []
        for rows in self._chunks():
            every_nFK = self._scores(weight_FKD, bias_FK, rows)
            here = torch.arange(len(every_nFK), device=every_nFK.device)
            parts.append(every_nFK[here, self.fold_n[rows]])
        return torch.cat(parts)

    def _nats(self, weight: Tensor, bias: Tensor, rows: slice) -> Tensor:
        """Each head's summed loss over those of the rows that count in it."""
        target_nF = self.y_n[rows, None].expand(-1, self.folds + 1)
        scores_nKF = self._scores(weight, bias, rows).transpose(1, 2)
        nats_nF = cross_entropy(scores_nKF, target_nF, reduction="none")
        return (nats_nF.T * self.counts_Fn[:, rows]).sum(1)

    def _scores(self, weight_FKD: Tensor, bias_FK: Tensor, rows: slice) -> Tensor:
        F, K, D = weight_FKD.shape
        return (self.x_nD[rows] @ weight_FKD.reshape(F * K, D).T).view(-1, F, K) + bias_FK

    def _chunks(self) -> list[slice]:
        """Rows at a time, so that a thousand classes of a hundred thousand pictures fit."""
        step = max(1, CHUNK_SCORES // ((self.folds + 1) * self.classes))
        return [slice(i, i + step) for i in range(0, len(self.y_n), step)]

    def _minimise(self, weight: Tensor, bias: Tensor, l2: float) -> tuple[Tensor, Tensor]:
        weight = weight.clone().requires_grad_()
        bias = bias.clone().requires_grad_()
        optimizer = torch.optim.LBFGS(
            [weight, bias],
            max_iter=STEPS,
            history_size=10,
            line_search_fn="strong_wolfe",
            tolerance_grad=1e-4,
            tolerance_change=1e-7,
        )
        count_F = self.counts_Fn.sum(1)

        def closure() -> float:
            optimizer.zero_grad()
            penalty_F = 0.5 * (l2 * weight.square().sum((1, 2)) + BIAS_L2 * bias.square().sum(1))
            loss = (penalty_F / count_F).sum()
            loss.backward()  # type: ignore[no-untyped-call]
            total = loss.detach()
            for rows in self._chunks():
                loss = (self._nats(weight, bias, rows) / count_F).sum()
                loss.backward()  # type: ignore[no-untyped-call]
                total = total + loss.detach()
            return float(total)

        with torch.enable_grad():
            optimizer.step(closure)
        return weight.detach(), bias.detach()


def _check(labels_n: NDArray[np.int64]) -> None:
    if len(np.unique(labels_n)) < 2:
        raise DataError(
            "A probe needs labelled samples of at least two classes; there are {count}.",
            count=len(np.unique(labels_n)),
            fix="Label some samples of another class, or use teacher.knowledge label_scoring.",
        )


def stratified_folds(labels_n: NDArray[np.int64], folds: int, seed: int) -> NDArray[np.int64]:
    """Each class is spread evenly over the folds, and the folds are of even size."""
    order = np.random.default_rng(seed).permutation(len(labels_n))
    order = order[np.argsort(labels_n[order], kind="stable")]
    fold_n = np.empty(len(labels_n), dtype=np.int64)
    fold_n[order] = np.arange(len(labels_n)) % folds
    return fold_n


def _spread(x_nD: Tensor) -> Tensor:
    """Standard deviation; 1 for a feature that does not vary, which then says nothing."""
    std_D = x_nD.std(0, correction=0)
    return torch.where(std_D > 1e-6 * x_nD.abs().amax(0), std_D, torch.ones_like(std_D))
