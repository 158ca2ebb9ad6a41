"""What this machine has and lacks, as far as it can be told without torch."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from tandem.config.models import find_teacher
from tandem.config.settings import Settings
from tandem.spec.i18n import t

GIGABYTE = 1e9
_EXTRAS = {
    "bitsandbytes": ("int8 and int4 teachers", "pip install 'tandem-distill[quant]'"),
    "tensorboard": ("TensorBoard event files", "pip install tensorboard"),
    "ultralytics": ("YOLOv8 (AGPL-3.0)", "pip install 'tandem-distill[yolo]'"),
    "onnxruntime": ("checking an ONNX export", "pip install onnxruntime"),
}


_LAYOUTS = ("*", "*/*", "models/*/*", "hub/models/*/*", "models--*/snapshots/*")
"""How folders, ModelScope's and Hugging Face's caches lie under the models' root."""


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `ok` is None where its absence is no fault."""

    what: str
    found: str
    ok: bool | None = True
    fix: str | None = None


def machine(settings: Settings) -> list[Finding]:
    """Cores, memory and disk."""
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


def roots(settings: Settings) -> list[Finding]:
    """The folders that hold everything."""
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


def extras() -> list[Finding]:
    """Packages that only some runs need."""
    findings = []
    for name, (purpose, command) in _EXTRAS.items():
        there = find_spec(name) is not None
        found = t("installed") if there else t("not installed: no {purpose}", purpose=t(purpose))
        findings.append(Finding(name, found, True if there else None, None if there else command))
    return findings


def teachers(settings: Settings) -> list[Finding]:
    """Those configured, and those under the models root."""
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
    folders = {file.parent for layout in _LAYOUTS for file in root.glob(f"{layout}/config.json")}
    for folder in sorted(folders):
        name = str(folder.relative_to(root))
        findings.append(Finding(t("teacher {name}", name=name), str(folder)))
    if not findings:
        fix = t("Put a checkpoint folder such as Qwen2.5-VL-7B-Instruct into {root}.", root=root)
        findings.append(Finding(t("teachers"), t("none configured"), None, fix))
    return findings
