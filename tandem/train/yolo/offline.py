"""Ultralytics without a network: it tries to phone, to install and to download.

It looks up one.one.one.one as it is imported, posts usage where it is online, fetches a font for
plots and a network to test mixed precision with, and pip-installs what it misses. All of that is
settled here before its first import; nothing of it ever reaches the network or the home folder.
"""

from __future__ import annotations

import atexit
import importlib.util
import os
import shutil
import sys
import tempfile
from functools import cache

import torch
from PIL import Image

from tandem.spec.errors import MissingExtraError

_SILENCE = {
    "YOLO_OFFLINE": "true",
    "YOLO_AUTOINSTALL": "false",
    "YOLO_VERBOSE": "false",
}
_INTEGRATIONS = ("clearml", "comet", "dvc", "mlflow", "raytune", "tensorboard", "wandb")


def installed() -> bool:
    """Whether the extra is there; imports nothing."""
    return importlib.util.find_spec("ultralytics") is not None


@cache
def prepare() -> None:
    """Call before any import of ultralytics. MissingExtraError where it is not installed."""
    if not installed():
        raise MissingExtraError(
            "YOLOv8 needs Ultralytics, which is not installed. It is licensed under AGPL-3.0.",
            fix="If that licence suits you: pip install 'tandem-distill[yolo]'.",
        )
    if "ultralytics" not in sys.modules:
        _first_import()
    from ultralytics.utils import LOGGER, SETTINGS, patches

    # It puts its own in place of Pillow's `open`, which looks for a package that is not here
    # where a file is no picture: for this whole process, not for itself alone.
    Image.open = patches._image_open
    # Not `SETTINGS.update`, which would write to the file of a user who has one.
    dict.update(SETTINGS, dict.fromkeys((*_INTEGRATIONS, "sync", "vscode_msg"), False))
    # Its own tables and bars would stand between our events on stdout.
    LOGGER.setLevel("ERROR")


def _first_import() -> None:
    """With a private folder for what it writes of itself, and our number of threads."""
    folder = tempfile.mkdtemp(prefix="tandem-ultralytics-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    threads, openmp = torch.get_num_threads(), os.environ.get("OMP_NUM_THREADS")
    os.environ.update(_SILENCE, YOLO_CONFIG_DIR=folder)
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    import ultralytics  # noqa: F401

    # It reads the other variables again later, in its loader's processes too: they stay.
    if openmp is None:
        os.environ.pop("OMP_NUM_THREADS", None)
    torch.set_num_threads(threads)
