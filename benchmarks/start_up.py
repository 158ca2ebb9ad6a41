"""How long `import tandem` and `tandem --help` take, in fresh processes."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.row import Row

TIMES = 9
IMPORT = """
import sys, time
began = time.perf_counter()
import tandem
print(time.perf_counter() - began, "torch" in sys.modules)
"""
HELP = """
import sys
from tandem.cli import main
sys.argv = ["tandem", "--help"]
try:
    main()
except SystemExit:
    pass
print("torch" in sys.modules, file=sys.stderr)
"""


def measure() -> list[Row]:
    imports = [_run("-c", IMPORT).stdout.split() for _ in range(TIMES)]
    import_seconds = statistics.median(float(seconds) for seconds, _ in imports)
    help_seconds = statistics.median(_help_seconds() for _ in range(TIMES))
    help_torch = "True" in _run("-c", HELP).stderr
    import_torch = any(torch == "True" for _, torch in imports)
    return [
        Row(
            "import tandem",
            f"{import_seconds:.3f} s",
            "≤ 0.2 s, no torch",
            import_seconds <= 0.2 and not import_torch,
            f"median of {TIMES} fresh processes",
        ),
        Row(
            "tandem --help",
            f"{help_seconds:.3f} s",
            "≤ 0.5 s, no torch",
            help_seconds <= 0.5 and not help_torch,
            f"the whole process; median of {TIMES}",
        ),
    ]


def _help_seconds() -> float:
    command = [str(Path(sys.executable).with_name("tandem")), "--help"]
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], check=True, capture_output=True, text=True)
