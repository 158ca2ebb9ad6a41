"""A ZIP of 20,000 small images unpacked with every check, beside `unzip` alone."""

from __future__ import annotations

import io
import shutil
import statistics
import subprocess
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.row import Row
from tandem.data.archive import unpack

IMAGES, CLASSES, TIMES = 20_000, 20, 3


def measure() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="tandem-zip-") as name:
        folder = Path(name)
        archive = _make(folder / "images.zip")
        ours, plain = [], []
        for number in range(TIMES):  # in turns, so that both meet the same machine
            plain.append(_unzip(archive, folder / f"unzip-{number}"))
            ours.append(_ours(archive, folder / f"ours-{number}"))
        ratio = statistics.median(plain) / statistics.median(ours)
    note = (
        f"unzip {statistics.median(plain):.2f} s, ours {statistics.median(ours):.2f} s; "
        f"medians of {TIMES}, in turns"
    )
    return [
        Row(f"ZIP of {IMAGES:,} images over unzip", f"{ratio:.2f}", "≥ 0.7", ratio >= 0.7, note)
    ]


def _make(file: Path) -> Path:
    random = np.random.default_rng(0)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(IMAGES):
            out = io.BytesIO()
            pixels = random.integers(0, 255, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(out, "JPEG")
            archive.writestr(f"data/train/c{number % CLASSES:02d}/{number}.jpg", out.getvalue())
    return file


def _unzip(archive: Path, target: Path) -> float:
    began = time.perf_counter()
    subprocess.run(["unzip", "-q", str(archive), "-d", str(target)], check=True)
    took = time.perf_counter() - began
    shutil.rmtree(target)
    return took


def _ours(archive: Path, target: Path) -> float:
    began = time.perf_counter()
    count = unpack(archive, target)
    took = time.perf_counter() - began
    assert count == IMAGES
    shutil.rmtree(target)
    return took
