"""Which part of the data is learnt from, and what each class weighs: pure functions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tandem.spec.errors import SpecError
from tandem.spec.i18n import t
from tandem.spec.run import RunSpec
from tandem.train.data.classification import keys
from tandem.train.data.splits import first_names
from tandem.train.types import RowIndices, Splits

MOST_NAMED = 10
"""Classes told with their weight in a sentence."""


def limited(splits: Splits, spec: RunSpec) -> Splits:
    """The splits with the part of train that `data.limit` asks for, and a note of it."""
    limit, total = spec.data.limit, len(splits.train)
    if limit is None:
        return splits
    count = max(1, round(limit * total)) if limit < 1 else int(limit)
    if count >= total:
        return splits
    rows_n = chosen_rows(splits.train.hashes_N, splits.train_strata(), count, spec.run.seed)
    note = t(
        "Learning from {count} of {total} training samples (data.limit is {limit:g}), each class "
        "with its share; the validation data is whole.",
        count=count,
        total=total,
        limit=limit,
    )
    return replace(splits.train_rows(rows_n), notes=(*splits.notes, note))


def chosen_rows(
    hashes_N: NDArray[np.uint8], strata_N: RowIndices, count: int, seed: int
) -> RowIndices:
    """`count` rows in their order: each stratum gives its share, one at the least where it can.

    A row is chosen by its content and the seed, so that neither its name nor what lies beside it
    moves it in or out before its stratum's share does.
    """
    keys_N = _mixed(keys(hashes_N), seed)
    groups = [np.flatnonzero(strata_N == one) for one in np.unique(strata_N)]
    exact = np.array([len(group) * count / len(strata_N) for group in groups])
    shares = np.floor(exact).astype(np.int64)
    least = 1 if count >= len(groups) else 0
    shares = np.maximum(shares, least)
    # The largest rest is served first; where a least one each was too much, the largest gives.
    while shares.sum() < count:
        shares[np.argmax(exact - shares)] += 1
    while shares.sum() > count:
        shares[np.argmax(np.where(shares > least, shares - exact, -np.inf))] -= 1
    taken = [
        group[np.argsort(keys_N[group], kind="stable")[:share]]
        for group, share in zip(groups, shares.tolist(), strict=True)
    ]
    return np.sort(np.concatenate(taken)).astype(np.int64)


def weighted(spec: RunSpec, splits: Splits) -> RunSpec:
    """The spec with `loss.class_weights` as numbers whose mean over train is 1.

    SpecError for a list of another length, and where no loss on labels would use them.
    """
    asked, classes = spec.loss.class_weights, splits.train.classes
    if asked == "none":
        return spec
    if spec.mode == "distillation" and spec.loss.hard_label_weight == 0:
        raise SpecError(
            "loss.class_weights weigh the loss on labels, whose weight is 0.",
            fix="Set loss.hard_label_weight above 0, or loss.class_weights to none.",
        )
    if isinstance(asked, list) and len(asked) != len(classes):
        raise SpecError(
            "loss.class_weights has {given} numbers, but there are {classes} classes: {names}.",
            given=len(asked),
            classes=len(classes),
            names=first_names(classes, MOST_NAMED),
            fix="Give one number a class, in this order.",
        )
    counts_K = splits.class_counts().astype(np.float64)
    there_K = counts_K > 0
    if isinstance(asked, list):
        weights_K = np.array(asked, np.float64)
    else:
        weights_K = np.where(there_K, 1 / np.maximum(counts_K, 1), 0)
    mean = float((weights_K * counts_K).sum() / max(counts_K.sum(), 1))
    if mean == 0:
        raise SpecError(
            "loss.class_weights gives every class that is in train the weight 0.",
            fix="Give one of them a weight above 0.",
        )
    # A class that train lacks is never a label; where labels are smoothed it weighs as the others.
    weights_K = np.where(there_K, weights_K / mean, 1.0)
    loss = spec.loss.model_copy(update={"class_weights": weights_K.tolist()})
    return spec.model_copy(update={"loss": loss})


def weights_note(spec: RunSpec, classes: tuple[str, ...]) -> str | None:
    """What each class weighs, in a sentence; None where all weigh alike."""
    weights = spec.loss.class_weights
    if not isinstance(weights, list):
        return None
    pairs = zip(classes[:MOST_NAMED], weights, strict=False)
    told = ", ".join(f"{name} {weight:.3g}" for name, weight in pairs)
    return t("The classes weigh in the loss on labels: {weights}.", weights=told)


def shown_notes(spec: RunSpec) -> list[str]:
    """What a recipe of views and balanced sampling come to, in sentences."""
    notes, views = [], spec.views
    if views.recipe != "plain":
        names = ("crop_scale_min", "flip", "colour", "randaugment", "grey", "blur", "erasing")
        told = ", ".join(f"{name} {getattr(views, name)}" for name in names)
        notes.append(t("Views for {recipe}: {settings}.", recipe=views.recipe, settings=told))
    if spec.data.sampling == "balanced":
        notes.append(t("Every class comes alike often in an epoch (data.sampling is balanced)."))
    return notes


def _mixed(keys_N: NDArray[np.uint64], seed: int) -> NDArray[np.uint64]:
    """The same numbers in an order that the seed decides (SplitMix64's finalizer)."""
    mixed_N = keys_N + np.uint64((seed * 0x9E3779B97F4A7C15) % 2**64)
    mixed_N = (mixed_N ^ (mixed_N >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed_N = (mixed_N ^ (mixed_N >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed_N ^ (mixed_N >> np.uint64(31))
