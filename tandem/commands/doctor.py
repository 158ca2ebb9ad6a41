"""`tandem doctor`: what this machine has, and the one line that mends what it lacks."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tandem.commands.show import print_json, print_table
from tandem.config.models import find_teacher
from tandem.config.settings import Settings, load
from tandem.spec.words import t

GIGABYTE = 1e9
TORCH_SECONDS = 120
_TORCH = """
import json, torch
gpus = range(torch.cuda.device_count() if torch.cuda.is_available() else 0)
of = torch.cuda.get_device_properties
print(json.dumps({"torch": torch.__version__, "cuda": torch.version.cuda,
                  "gpus": [[of(i).name, of(i).total_memory] for i in gpus]}))
"""
_EXTRAS = {
    "bitsandbytes": ("int8 and int4 teachers", "pip install 'tandem-distill[quant]'"),
    "tensorboard": ("TensorBoard event files", "pip install tensorboard"),
    "onnxruntime": ("checking an ONNX export", "pip install onnxruntime"),
}


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `ok` is None where its absence is no fault."""

    what: str
    found: str
    ok: bool | None = True
    fix: str | None = None


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
    return [_python(), *_torch(), *_machine(settings), *_roots(settings), *_extras(),
            *_teachers(settings)]  # fmt: skip


def _python() -> Finding:
    fine = (3, 11) <= sys.version_info[:2] < (3, 13)
    fix = t("Install Python 3.11 or 3.12, then run `make setup` again.")
    found = f"{platform.python_version()} ({sys.executable})"
    return Finding("Python", found, fine, None if fine else fix)


def _torch() -> list[Finding]:
    """In a process of its own: a broken install or driver must not take the doctor with it."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", _TORCH], capture_output=True, text=True, timeout=TORCH_SECONDS
        )
        said: dict[str, Any] = json.loads(done.stdout) if done.returncode == 0 else {}
        reason = (done.stderr.strip().splitlines() or ["-"])[-1]
    except subprocess.TimeoutExpired:
        said, reason = {}, t("no answer in {seconds} s", seconds=TORCH_SECONDS)
    if not said:
        return [Finding("PyTorch", reason, False, t("Run `make setup`, or pip install torch."))]
    cuda = said["cuda"]
    built = t("built for CUDA {cuda}", cuda=cuda) if cuda else t("built for the CPU only")
    findings = [Finding("PyTorch", t("{version}, {built}", version=said["torch"], built=built))]
    for number, (name, memory_bytes) in enumerate(said["gpus"]):
        findings.append(Finding(f"GPU {number}", f"{name}, {memory_bytes / GIGABYTE:.0f} GB"))
    if not said["gpus"]:
        fix = t("Small runs work on the CPU; for more, install an NVIDIA driver (`nvidia-smi`).")
        findings.append(Finding("GPU", t("none in sight"), None, fix))
    return findings


def _machine(settings: Settings) -> list[Finding]:
    import psutil

    memory = psutil.virtual_memory()
    free_bytes = shutil.disk_usage(_standing(settings.home)).free
    roomy = free_bytes > 5 * GIGABYTE
    fix = t("Free some space, or set TANDEM_HOME to a larger disk.")
    found = t(
        "{free:.1f} of {total:.1f} GB free",
        free=memory.available / GIGABYTE,
        total=memory.total / GIGABYTE,
    )
    disk = t("{free:.1f} GB free for {home}", free=free_bytes / GIGABYTE, home=settings.home)
    return [
        Finding(t("Cores"), str(os.cpu_count())),
        Finding(t("Memory"), found),
        Finding(t("Disk"), disk, roomy or None, None if roomy else fix),
    ]


def _roots(settings: Settings) -> list[Finding]:
    return [_root(settings, name) for name in (
        "home", "datasets_root", "models_root", "output_root", "cache_root")]  # fmt: skip


def _root(settings: Settings, name: str) -> Finding:
    path, must_write = settings.path(name), name in ("home", "output_root", "cache_root")
    standing = _standing(path)
    writable = os.access(standing, os.W_OK)
    if path.is_dir() and (writable or not must_write):
        return Finding(name, str(path))
    if not path.exists() and writable:
        return Finding(name, t("{path} (made when it is needed)", path=path), None)
    fix = t("Make {path} a folder you may write to, or set TANDEM_{name}.", path=path,
            name=name.upper())  # fmt: skip
    return Finding(name, t("{path} cannot be used", path=path), False if must_write else None, fix)


def _standing(path: Path) -> Path:
    """The folder itself, or the nearest above it that is there."""
    return next(one for one in (path, *path.parents) if one.exists())


def _extras() -> list[Finding]:
    findings = []
    for name, (purpose, command) in _EXTRAS.items():
        there = find_spec(name) is not None
        found = t("installed") if there else t("not installed: no {purpose}", purpose=t(purpose))
        findings.append(Finding(name, found, True if there else None, None if there else command))
    return findings


def _teachers(settings: Settings) -> list[Finding]:
    findings = []
    for name, value in settings.teachers.items():
        found_teacher = find_teacher(name, None, settings)
        path = found_teacher.path if found_teacher else ""
        there = (Path(path) / "config.json").is_file()
        fix = t("Put the checkpoint there, or change {origin}.", origin=value.origin)
        found = path if there else t("{path} holds no model", path=path)
        findings.append(
            Finding(t("teacher {name}", name=name), found, there or None, None if there else fix)
        )
    root = settings.path("models_root")
    folders = sorted(root.iterdir()) if root.is_dir() else []
    for folder in folders:
        if (folder / "config.json").is_file():
            findings.append(Finding(t("teacher {name}", name=folder.name), str(folder)))
    if not findings:
        fix = t("Put a checkpoint folder such as Qwen2.5-VL-7B-Instruct into {root}.", root=root)
        findings.append(Finding(t("teachers"), t("none configured"), None, fix))
    return findings
