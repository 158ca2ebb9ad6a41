"""Memory of an annotation job over many images: what it takes must not grow with their number.

The pictures are links to a few small files in many folders, the model a ResNet-18 at 32 px: what is
measured is the job's own machinery, in its own process, from a tenth of the way to the end.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import torch
from PIL import Image

from benchmarks.row import Row
from tandem.spec.annotation import AnnotationSpec
from tandem.spec.run import DataSpec, ExecutionSpec, RunSpec, StudentSpec
from tandem.train.export import final_model
from tandem.train.registry import find

IMAGES = 100_000
A_FOLDER = 1000
MOST_GROWTH_BYTES = 32 * 2**20
EVERY_SECONDS = 0.2


def measure(images: int = IMAGES) -> list[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw(folder / "in", images)
        save_small(folder / "model")
        seen = _run(folder, images)
    early = [taken for done, taken in seen if images // 10 <= done < images // 5]
    late = [taken for done, taken in seen if done >= images * 4 // 5]
    growth = max(late) - max(early)
    return [
        Row(
            f"Memory of an annotation job over {images:,} images",
            f"{max(early) / 2**20:.0f} MiB after a tenth, {max(late) / 2**20:.0f} MiB at the end",
            "flat",
            growth <= MOST_GROWTH_BYTES,
            f"RSS sampled every {EVERY_SECONDS} s; at most {MOST_GROWTH_BYTES >> 20} MiB more",
        )
    ]


def draw(folder: Path, images: int) -> None:
    """Links to 16 pictures, a thousand in each folder."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    originals = []
    for number in range(16):
        file = folder.parent / f"{number}.jpg"
        Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8)).save(file)
        originals.append(file)
    for number in range(images):
        below = folder / f"{number // A_FOLDER:04d}"
        below.mkdir(exist_ok=True)
        os.link(originals[number % 16], below / f"{number:07d}.jpg")


def save_small(folder: Path, size: str = "resnet18", pixels: int = 32) -> None:
    """An untrained classifier, saved as a run saves it."""
    torch.manual_seed(0)
    spec = RunSpec(
        task_id="B",
        kind="classification",
        mode="direct",
        data=DataSpec(dataset="-", image_size=pixels),
        student=StudentSpec(type="resnet", size=size),
        run=ExecutionSpec(output_dir=folder),
    )
    student = find("students", "resnet").make(spec.student, 10, pixels)
    names = [str(one) for one in range(10)]
    final_model.save(student, folder, spec=spec, classes=names, metrics={}, card="#\n")


def _run(folder: Path, images: int) -> list[tuple[int, int]]:
    """(items done, bytes taken) at moments of the job."""
    spec = AnnotationSpec(
        task_id="B",
        model=folder / "model",
        model_name="b",
        input=folder / "in",
        output=folder / "out",
        run_dir=folder / "run",
        batch_size=64,
        pictures=False,
        writer="labelme",
    )
    file = folder / "job.json"
    file.write_text(spec.model_dump_json())
    journal = folder / "run" / "items.jsonl"
    line_bytes = 0.0
    seen = []
    with subprocess.Popen([sys.executable, "-m", "tandem.predict", str(file)]) as child:
        watched = psutil.Process(child.pid)
        while child.poll() is None:
            time.sleep(EVERY_SECONDS)
            try:
                taken = watched.memory_info().rss
                done_bytes = journal.stat().st_size
            except (psutil.Error, FileNotFoundError):
                continue
            if not line_bytes and done_bytes:
                line_bytes = len(journal.open("rb").readline())
            if line_bytes:
                seen.append((min(images, int(done_bytes / line_bytes)), taken))
    assert child.returncode == 0, child.returncode
    return seen


if __name__ == "__main__":
    for row in measure(int(sys.argv[1]) if len(sys.argv) > 1 else IMAGES):
        print(row)
