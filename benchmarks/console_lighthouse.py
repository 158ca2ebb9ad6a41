"""Lighthouse, run locally, on the list of tasks and on a task with 1,000 epochs.

`tandem serve` on 100,000 tasks. The desktop preset is the claim, as people work at a desk; the
slowed telephone of Lighthouse's default is shown.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import tempfile
from pathlib import Path

from benchmarks.console_load import CHROMIUM, house
from benchmarks.row import Row

# Fetched when it is measured: it brings 200 packages that nothing else needs.
LIGHTHOUSE = ["npx", "--yes", "lighthouse@12.8.2"]
CATEGORIES = ("performance", "accessibility", "best-practices")
LEAST, TIMES = 95, 3
FLAGS = "--headless=new --no-sandbox --disable-gpu --disable-background-networking"


def measure() -> list[Row]:
    rows: list[Row] = []
    with house() as (url, task):
        for name, path in {"Tasks": "/tasks", "Task": f"/tasks/{task}"}.items():
            for preset in ("desktop", "telephone"):
                runs = [_scores(url + path, preset) for _ in range(TIMES)]
                scores = {one: statistics.median(run[one] for run in runs) for one in CATEGORIES}
                rows.append(_row(name, preset, scores))
    return rows


def _row(name: str, preset: str, scores: dict[str, float]) -> Row:
    claimed = preset == "desktop"
    return Row(
        f"Lighthouse, {name}, {preset}: performance, accessibility, best practices",
        ", ".join(f"{scores[one]:.0f}" for one in CATEGORIES),
        f"≥ {LEAST} each" if claimed else "shown",
        min(scores.values()) >= LEAST if claimed else None,
        f"medians of {TIMES} runs",
    )


def _scores(url: str, preset: str) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="tandem-lighthouse-") as folder:
        report = Path(folder) / "report.json"
        command = [
            *LIGHTHOUSE,
            url,
            "--quiet",
            "--output=json",
            f"--output-path={report}",
            f"--chrome-path={CHROMIUM}",
            f"--chrome-flags={FLAGS}",
            f"--only-categories={','.join(CATEGORIES)}",
            *(["--preset=desktop"] if preset == "desktop" else []),
        ]
        subprocess.run(command, check=True, capture_output=True, cwd=folder)
        found = json.loads(report.read_text())["categories"]
    return {one: 100 * found[one]["score"] for one in CATEGORIES}
