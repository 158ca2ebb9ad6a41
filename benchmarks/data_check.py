"""How long `tandem data check` takes on large data sets, and its memory, in fresh processes."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.row import Row

YOLO_FILES, BOXES_A_FILE = 10_000, 4
COCO_IMAGES, COCO_ANNOTATIONS = 10_000, 100_000
SIDE, CLASSES = 64, 20
LIMITS = {"yolo": 10.0, "coco": 20.0}
MOST_BYTES = 1_000_000_000
CORES = 2
MEASURED = """
import json, os, resource, sys
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:{cores}])
from pathlib import Path
from tandem.data.inspection.check import report
said = report(Path(sys.argv[1]))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps([said.errors, sum(said.items.values()), sum(
    count for split in said.per_class.values() for count in split.values()), peak]))
"""


def measure() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="tandem-bench-data-") as folder:
        root = Path(folder)
        _make_yolo(root / "yolo")
        _make_coco(root / "coco")
        return [
            *_rows("yolo", root / "yolo", f"{YOLO_FILES:,} YOLO label files"),
            *_rows("coco", root / "coco", f"COCO, {COCO_ANNOTATIONS:,} annotations"),
        ]


def _rows(name: str, folder: Path, what: str) -> list[Row]:
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", MEASURED.format(cores=CORES), str(folder)],
        check=True,
        capture_output=True,
        text=True,
    )
    seconds = time.perf_counter() - began
    errors, items, shapes, peak = json.loads(done.stdout)
    expected = BOXES_A_FILE * YOLO_FILES if name == "yolo" else COCO_ANNOTATIONS
    if errors or shapes != expected:
        sys.exit(f"{name}: {errors} faults, {shapes} boxes where there are {expected}")
    note = (
        f"the whole process on {CORES} cores; {items:,} pictures of {SIDE} x {SIDE} pixels, "
        "each one decoded and compared across the splits"
    )
    return [
        Row(f"checking {what}", f"{seconds:.1f} s", f"≤ {LIMITS[name]:.0f} s",
            seconds <= LIMITS[name], note),
        Row(f"memory of checking {what}", f"{peak / 1e6:.0f} MB", "≤ 1 GB", peak <= MOST_BYTES),
    ]  # fmt: skip


def _image(number: int) -> Image.Image:
    pixels = np.random.default_rng(number).integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def _split(number: int) -> str:
    return "val" if number % 7 == 0 else "train"


def _make_yolo(root: Path) -> None:
    dice = random.Random(0)
    for split in ("train", "val"):
        for kind in ("images", "labels"):
            (root / kind / split).mkdir(parents=True)
    for number in range(YOLO_FILES):
        split = _split(number)
        _image(number).save(root / "images" / split / f"{number}.jpg")
        lines = [
            f"{dice.randrange(CLASSES)} {dice.uniform(0.3, 0.7):.6f} {dice.uniform(0.3, 0.7):.6f} "
            f"{dice.uniform(0.05, 0.5):.6f} {dice.uniform(0.05, 0.5):.6f}\n"
            for _ in range(BOXES_A_FILE)
        ]
        (root / "labels" / split / f"{number}.txt").write_text("".join(lines))
    names = "".join(f"  - class{number}\n" for number in range(CLASSES))
    (root / "data.yaml").write_text(
        f"train: images/train\nval: images/val\nnc: {CLASSES}\nnames:\n{names}"
    )


def _make_coco(root: Path) -> None:
    dice = random.Random(0)
    categories = [{"id": n + 1, "name": f"class{n}"} for n in range(CLASSES)]
    told: dict[str, dict[str, list[dict[str, object]]]] = {
        split: {"images": [], "annotations": [], "categories": list(categories)}
        for split in ("train", "val")
    }
    for split in told:
        (root / "images" / split).mkdir(parents=True)
    for number in range(COCO_IMAGES):
        split = _split(number)
        name = f"{number}.jpg"
        _image(number).save(root / "images" / split / name)
        told[split]["images"].append(
            {"id": number, "file_name": name, "width": SIDE, "height": SIDE}
        )
    for number in range(COCO_ANNOTATIONS):
        image = number % COCO_IMAGES
        x, y, wide, high = (dice.uniform(1, SIDE / 2 - 1) for _ in range(4))
        ring = [x, y, x + wide, y, x + wide, y + high, x, y + high]
        told[_split(image)]["annotations"].append(
            {"id": number, "image_id": image, "category_id": number % CLASSES + 1,
             "bbox": [x, y, wide, high], "area": wide * high, "iscrowd": 0,
             "segmentation": [ring]}
        )  # fmt: skip
    (root / "annotations").mkdir()
    for split, whole in told.items():
        (root / "annotations" / f"{split}.json").write_text(json.dumps(whole))
