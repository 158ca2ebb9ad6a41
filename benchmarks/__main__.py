"""`python -m benchmarks [name …]`: each in a process of its own, then one Markdown table.

All of them (no name given) are also written into docs/benchmarks.md, between its two marks.
The exit code is 1 when a claim was not reached.
"""

from __future__ import annotations

import argparse
import importlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.row import Row, markdown

NAMES = (
    "start_up",
    "warm_cache",
    "cache_fill",
    "second_task",
    "online_or_cache",
    "memory",
    "resnet18",
    "views",
    "methods",
    "service_start",
    "service_lists",
    "service_events",
    "service_streams",
    "service_curves",
    "service_launch",
    "data_check",
    "yolo_step",
    "yolo_teaching",
    "map_speed",
    "kind_signals",
    "unet_teaching",
    "zip_import",
    "zip_directory",
    "predict_speed",
    "predict_memory",
    "console_load",
    "console_lighthouse",
    "console_pan",
)
DOCUMENT = Path(__file__).parents[1] / "docs" / "benchmarks.md"
BEGIN, END = "<!-- begin: python -m benchmarks -->", "<!-- end -->"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(NAMES))
    parser.add_argument("--rows-to", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    unknown = [name for name in given.names if name not in NAMES]
    if unknown:
        parser.error(f"no benchmark is called {', '.join(unknown)}; there are {', '.join(NAMES)}")
    if given.rows_to:
        _alone(given.names[0], given.rows_to)
        return 0
    rows = [row for name in given.names or NAMES for row in _apart(name)]
    print("\n" + markdown(rows), end="")
    if not given.names:
        _write(rows)
    return 1 if any(row.reached is False for row in rows) else 0


def _apart(name: str) -> list[Row]:
    """The benchmark in a fresh process, so that none inherits another's memory or threads."""
    print(f"{name} …", flush=True)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="tandem-bench-") as folder:
        file = Path(folder) / "rows.json"
        command = [sys.executable, "-m", "benchmarks", name, "--rows-to", str(file)]
        if subprocess.run(command).returncode != 0:
            sys.exit(f"The benchmark {name} failed; what it said is above.")
        rows = [Row(**row) for row in json.loads(file.read_text(encoding="utf-8"))]
    for row in rows:
        said = {True: "reached", False: "NOT REACHED", None: "shown"}[row.reached]
        print(f"  {row.claim}: {row.measured} ({row.must}: {said})", flush=True)
    print(f"  {time.perf_counter() - began:.0f} s", flush=True)
    return rows


def _alone(name: str, file: Path) -> None:
    from transformers.utils import logging

    logging.disable_progress_bar()
    rows: list[Row] = importlib.import_module(f"benchmarks.{name}").measure()
    file.write_text(json.dumps([row.as_json() for row in rows]), encoding="utf-8")


def _write(rows: list[Row]) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    made = f"{before}{BEGIN}\n{markdown(rows)}{END}{after}"
    DOCUMENT.write_text(made, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
