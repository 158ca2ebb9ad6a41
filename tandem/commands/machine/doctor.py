"""`tandem doctor`: what this machine has, and the one line that mends what it lacks."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from dataclasses import asdict
from typing import TypedDict

from tandem.commands.terminal import print_json, print_table
from tandem.config.findings import GIGABYTE, Finding, extras, machine, roots, teachers
from tandem.config.settings import Settings, load
from tandem.spec.i18n import t

TORCH_SECONDS = 120
_TORCH = """
import json, torch
gpus = range(torch.cuda.device_count() if torch.cuda.is_available() else 0)
of = torch.cuda.get_device_properties
print(json.dumps({"torch": torch.__version__, "cuda": torch.version.cuda,
                  "gpus": [[of(i).name, of(i).total_memory] for i in gpus]}))
"""


class TorchFacts(TypedDict):
    """What PyTorch says of itself."""

    torch: str
    cuda: str | None
    gpus: list[tuple[str, int]]
    """Name and bytes of memory."""


def doctor(as_json: bool) -> int:
    """Print the findings; 1 when something essential is missing."""
    findings = examine(load())
    if as_json:
        print_json([asdict(one) for one in findings])
    else:
        marks = {True: t("ok"), None: "-", False: t("missing")}
        print_table("", ["", "what", "found"], [[marks[f.ok], f.what, f.found] for f in findings])
        for one in findings:
            if one.fix:
                print(t("{what}: {fix}", what=one.what, fix=one.fix))
    return int(any(one.ok is False for one in findings))


def examine(settings: Settings) -> list[Finding]:
    """Everything, in the order a person would ask."""
    return [_python(), *_torch(), *machine(settings), *roots(settings), *extras(),
            *teachers(settings)]  # fmt: skip


def _python() -> Finding:
    fine = (3, 11) <= sys.version_info[:2] < (3, 13)
    fix = t("Install Python 3.11 or 3.12, then run `make setup` again.")
    found = f"{platform.python_version()} ({sys.executable})"
    return Finding("Python", found, fine, None if fine else fix)


def _torch() -> list[Finding]:
    """What PyTorch finds, asked in a process of its own.

    A broken install or driver must not take the doctor with it.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-c", _TORCH], capture_output=True, text=True, timeout=TORCH_SECONDS
        )
        torch: TorchFacts | None = json.loads(done.stdout) if done.returncode == 0 else None
        reason = (done.stderr.strip().splitlines() or ["-"])[-1]
    except subprocess.TimeoutExpired:
        torch, reason = None, t("no answer in {seconds} s", seconds=TORCH_SECONDS)
    if torch is None:
        return [Finding("PyTorch", reason, False, t("Run `make setup`, or pip install torch."))]
    cuda = torch["cuda"]
    built = t("built for CUDA {cuda}", cuda=cuda) if cuda else t("built for the CPU only")
    findings = [Finding("PyTorch", t("{version}, {built}", version=torch["torch"], built=built))]
    for number, (name, memory_bytes) in enumerate(torch["gpus"]):
        findings.append(Finding(f"GPU {number}", f"{name}, {memory_bytes / GIGABYTE:.0f} GB"))
    if not torch["gpus"]:
        fix = t("Small runs work on the CPU; for more, install an NVIDIA driver (`nvidia-smi`).")
        findings.append(Finding("GPU", t("none in sight"), None, fix))
    return findings
