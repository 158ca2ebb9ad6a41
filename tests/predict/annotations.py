"""Small real jobs for the tests."""

import json
import subprocess
import sys

import numpy as np
from PIL import Image

from tandem.spec.annotation import AnnotationSpec
from tests.train.export.models import save_model


def write_images(folder, count, seed=0):
    """Coloured noise of several sizes, in two folders."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        place = folder / ("a" if number % 2 else "b")
        place.mkdir(parents=True, exist_ok=True)
        small = rng.integers(0, 256, (5, 7, 3), np.uint8)
        Image.fromarray(small).resize((40 + number, 32)).save(place / f"{number:04d}.png")


def job(folder, **more):
    """A job on `folder/in` with a real ResNet."""
    model = folder / "model"
    if "model" not in more and not model.exists():
        save_model(model)
    return AnnotationSpec(
        **{
            "task_id": "JOB_1",
            "model": model,
            "model_name": "pets",
            "input": folder / "in",
            "output": folder / "out",
            "run_dir": folder / "run",
            "batch_size": 4,
            "devices": "cpu",
        }
        | more
    )


def write_job(spec, folder):
    """The file that a job is started with."""
    file = folder / f"{spec.run_dir.name}.json"
    file.write_text(spec.model_dump_json())
    return file


def start(spec, folder):
    """The job as the service runs it: a process of its own."""
    file = write_job(spec, folder)
    return subprocess.Popen(
        [sys.executable, "-m", "tandem.predict", str(file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def lines(file):
    """What a journal says so far."""
    return [json.loads(line) for line in file.read_text().splitlines()]


def items(spec):
    """The lines of its journal of items."""
    return lines(spec.run_dir / "items.jsonl")


def events(spec):
    """What it said of itself."""
    return lines(spec.run_dir / "events.jsonl")


def files(folder):
    """Every file below it that is seen, by its path, with its bytes."""
    return {
        str(one.relative_to(folder)): one.read_bytes()
        for one in sorted(folder.rglob("*"))
        if one.is_file() and not one.name.startswith(".")
    }
