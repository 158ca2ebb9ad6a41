"""How weights that are no file or folder here are named, and where they are kept once fetched.

A hub id alone (`owner/name`) is Hugging Face's; `modelscope:owner/name` is ModelScope's. A student
may also start from `torchvision`, `huggingface/<name>` and `ultralytics/<file>.pt`.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
MODELSCOPE = "modelscope:"
TORCHVISION = "torchvision"
HUGGINGFACE = "huggingface/"
ULTRALYTICS = "ultralytics/"
ULTRALYTICS_REPO = "Ultralytics/YOLOv8"
"""Ultralytics' own repository on the hub, with `yolov8n.pt` to `yolov8x.pt`."""

FILE_SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".ckpt")
"""A file of weights ends so; a hub id may hold dots too, `timm/resnet18.a1_in1k`."""

OWNERS = {
    "vit-tiny-patch16-224": "WinKawaks",
    "vit-small-patch16-224": "WinKawaks",
    "vit-base-patch16-224": "google",
    "vit-base-patch16-224-in21k": "google",
    "vit-large-patch16-224": "google",
    "vit-large-patch16-224-in21k": "google",
    "bert-base-uncased": "google-bert",
    "bert-base-chinese": "google-bert",
}
"""Whose model is meant by `huggingface/<name>`: hub ids begin with their owner."""


def is_hub_id(name: str) -> bool:
    """Whether a name is `owner/name` or `modelscope:owner/name`."""
    return HUB_ID.fullmatch(name.removeprefix(MODELSCOPE)) is not None


def huggingface_id(name: str) -> str | None:
    """The hub id that `huggingface/<name>` or `huggingface/<owner>/<name>` means; None for a name
    without an owner that is none of `OWNERS`."""
    rest = name.removeprefix(HUGGINGFACE)
    if "/" in rest:
        return rest
    return f"{OWNERS[rest]}/{rest}" if rest in OWNERS else None


def modelscope_folders(hub_id: str, root: Path | None = None) -> list[Path]:
    """Where ModelScope's own tools keep a model below their cache (or `root`, a `cache_dir`).

    They write a dot as `___`. The first is where we put one, too.
    """
    owner, name = hub_id.removeprefix(MODELSCOPE).split("/")
    given = os.environ.get("MODELSCOPE_CACHE") or "~/.cache/modelscope/hub"
    base = root or Path(given).expanduser()
    plain = name.replace(".", "___")
    below = ("models", "", "hub/models", "hub")
    return [base / one / owner / called for one in below for called in (plain, name)]


def hub_cache() -> Path:
    """Hugging Face's cache: `models--owner--name/snapshots/<commit>/`."""
    home = Path(os.environ.get("HF_HOME") or "~/.cache/huggingface").expanduser()
    return Path(os.environ.get("HF_HUB_CACHE") or home / "hub").expanduser()


def snapshots(root: Path, hub_id: str) -> list[Path]:
    """The folders of a model in a cache of Hugging Face's, the newest first."""
    folder = root / f"models--{hub_id.replace('/', '--')}" / "snapshots"
    found = [one for one in folder.iterdir() if one.is_dir()] if folder.is_dir() else []
    return sorted(found, key=lambda one: one.stat().st_mtime, reverse=True)


def is_fetched(name: str) -> bool:
    """Whether weights named by their source are in that source's cache on this machine."""
    if name == TORCHVISION:
        home = os.environ.get("TORCH_HOME") or "~/.cache/torch"
        return any((Path(home).expanduser() / "hub" / "checkpoints").glob("*.pth"))
    if name.startswith(MODELSCOPE):
        return is_hub_id(name) and any(one.is_dir() for one in modelscope_folders(name))
    if name.startswith(ULTRALYTICS):
        file = name.removeprefix(ULTRALYTICS)
        return any((one / file).is_file() for one in snapshots(hub_cache(), ULTRALYTICS_REPO))
    hub_id = huggingface_id(name) if name.startswith(HUGGINGFACE) else name
    return hub_id is not None and is_hub_id(hub_id) and bool(snapshots(hub_cache(), hub_id))
