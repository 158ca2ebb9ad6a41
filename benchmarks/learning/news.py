"""R8 news topics: 120 labels and 680 texts without, taught by all-MiniLM-L6-v2.

R8's own test split is what is judged on, 500 of it; 150 of its train split validate. The teacher
knows no topics: a probe on its features of the labelled texts does. Topics are very uneven, so
macro-F1 stands beside accuracy.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from benchmarks.learning import figures, sources
from benchmarks.learning.compare import Effort, Line, Variant, lines, train
from benchmarks.learning.specs import make_spec
from tandem.spec.run import OptimSpec, RunSpec, StudentSpec, TeacherSpec

LEARN, LABELLED, VAL, TEST = 800, 120, 150, 500
TOKENS, EPOCHS = 48, 3
Row = tuple[sources.Text, bool]


def measure(folder: Path, effort: Effort) -> list[Line]:
    test = _drawn(sources.news("test"), TEST, seed=7)
    for seed in effort.seeds:
        write(folder / f"news-{seed}", seed)

    def spec(name: str, seed: int) -> RunSpec:
        return make_spec(
            folder,
            f"{name}-{seed}",
            data=folder / f"news-{seed}",
            size=224,
            student=StudentSpec(type="bert", size="bert-mini", max_tokens=TOKENS),
            teacher=TeacherSpec(path=str(sources.minilm()), precision="fp32", batch_size=64),
            optim=OptimSpec(epochs=EPOCHS, batch_size=16, learning_rate=3e-4),
        )

    variants = [
        Variant("taught", lambda seed: spec("taught", seed), "as Tandem does by itself"),
    ]
    texts, labels = [one.text for one in test], [one.label for one in test]
    train(variants, lambda model: figures.classes(model, texts, labels), effort)
    return lines("news", variants, ("accuracy", "macro_f1"))


def write(folder: Path, seed: int) -> None:
    """`train.jsonl` with and without labels, `val.jsonl`; the seed draws who keeps its label."""
    folder.mkdir(parents=True)
    drawn = _drawn(sources.news("train"), LEARN + VAL, seed=5)
    val, learn = drawn[:VAL], drawn[VAL:]
    kept = _labelled([one.label for one in learn], seed)
    rows = [(one, number in kept) for number, one in enumerate(learn)]
    _write(folder / "train.jsonl", rows)
    _write(folder / "val.jsonl", [(one, True) for one in val])


def _labelled(labels: list[str], seed: int) -> set[int]:
    """Two of each topic first, so that none is without; the rest as they come."""
    order = np.random.default_rng(seed).permutation(len(labels)).tolist()
    first = [
        row
        for topic in sorted(set(labels))
        for row in [row for row in order if labels[row] == topic][:2]
    ]
    rest = [row for row in order if row not in set(first)]
    return set([*first, *rest][:LABELLED])


def _write(file: Path, rows: Iterable[Row]) -> None:
    written = [
        json.dumps({"text": one.text, "label": one.label if known else ""}) for one, known in rows
    ]
    file.write_text("\n".join(written) + "\n", encoding="utf-8")


def _drawn(texts: list[sources.Text], count: int, seed: int) -> list[sources.Text]:
    chosen = np.random.default_rng(seed).permutation(len(texts))[:count]
    return [texts[row] for row in chosen.tolist()]
