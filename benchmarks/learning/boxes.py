"""Boxes of digits on photographs: 8 annotated pictures, 120 nobody looked at, YOLOv8n twice."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.engine import changed, run
from benchmarks.learning import figures
from benchmarks.learning.compare import Effort, Line, Variant, lines, train
from benchmarks.learning.scenes import Painter, Scene
from benchmarks.learning.specs import make_spec
from tandem.spec.run import LossSpec, OptimSpec, RunSpec, StudentSpec, TeacherSpec

SIDE, MANY, FEW, LEARN, VAL, TEST = 64, 192, 8, 128, 32, 120
EPOCHS = 10
OPTIM = OptimSpec(
    epochs=EPOCHS, batch_size=8, learning_rate=3e-3, warmup_epochs=1.0, max_grad_norm=10.0
)
LOSS = LossSpec(hard_label_weight=1.0, feature_weight=1.0, soft_label_weight=1.0)
YOLO = {"mosaic": 0.0, "nominal_batch_size": 8}


def measure(folder: Path, effort: Effort) -> list[Line]:
    return measure_size(folder, effort, "boxes", StudentSpec(type="yolov8", size="yolov8n"))


def measure_size(folder: Path, effort: Effort, name: str, student: StudentSpec) -> list[Line]:
    """Taught by one of its own sort that learnt from many, and alone."""
    test, val = Painter(0, SIDE, 1).scenes(TEST), Painter(1, SIDE, 2).scenes(VAL)
    judged = folder / "judged"
    judged.mkdir(parents=True)
    files = [judged / f"{number:03d}.png" for number in range(TEST)]
    for file, scene in zip(files, test, strict=True):
        scene.image.save(file)
    write(folder / "many", Painter(3, SIDE, 3).scenes(MANY), val, MANY)
    for seed in effort.seeds:
        write(folder / f"few-{seed}", Painter(2, SIDE, 10 + seed).scenes(LEARN), val, FEW)

    def spec(run_name: str, data: str, teacher: Path | None) -> RunSpec:
        made = make_spec(
            folder,
            run_name,
            data=folder / data,
            size=SIDE,
            student=student,
            teacher=TeacherSpec(path=str(teacher)) if teacher else None,
            optim=OPTIM,
            loss=LOSS,
        )
        return changed(made, yolo=YOLO)

    lesson = changed(spec("teacher", "many", None), optim={"epochs": effort.epochs(EPOCHS)})
    run(lesson)
    teacher = Path(lesson.run.output_dir) / "final_model"

    def taught(run_name: str, seed: int) -> RunSpec:
        return spec(f"{run_name}-{seed}", f"few-{seed}", teacher)

    variants = [
        Variant("taught", lambda seed: taught("taught", seed), f"{student.size}, saw {MANY}"),
    ]
    truth = [scene.boxes for scene in test]
    train(variants, lambda model: figures.boxes(model, files, truth, SIDE), effort)
    return lines(name, variants, ("map50", "map"))


def write(folder: Path, learn: list[Scene], val: list[Scene], annotated: int) -> None:
    """LabelMe: a picture without a JSON is one that nobody has looked at."""
    for split, scenes, known in (("train", learn, annotated), ("val", val, len(val))):
        (folder / split).mkdir(parents=True)
        for number, scene in enumerate(scenes):
            file = folder / split / f"{number:04d}.png"
            scene.image.save(file)
            if number < known:
                said = json.dumps(_labelme(file.name, scene))
                file.with_suffix(".json").write_text(said, encoding="utf-8")


def _labelme(name: str, scene: Scene) -> dict[str, object]:
    shapes: list[dict[str, object]] = [
        {
            "label": box.label,
            "points": [list(box.edges[:2]), list(box.edges[2:])],
            "shape_type": "rectangle",
            "group_id": None,
            "flags": {},
        }
        for box in scene.boxes
    ]
    return {
        "version": "5.5.0",
        "flags": {},
        "shapes": shapes,
        "imagePath": name,
        "imageData": None,
        "imageHeight": scene.image.height,
        "imageWidth": scene.image.width,
    }
