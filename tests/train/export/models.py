"""A real small student on disk, for every test that needs one."""

import torch

from tandem.spec.run import DataSpec, ExecutionSpec, OptimSpec, RunSpec, StudentSpec
from tandem.train.export import final_model
from tandem.train.registry import find

CLASSES = ["猫", "dog|*<b>", "a b"]


def run_spec(folder, **student):
    spec = StudentSpec(**{"type": "resnet", "size": "resnet18"} | student)
    return RunSpec(
        task_id="T",
        kind="classification",
        mode="direct",
        data=DataSpec(dataset="pets", image_size=32),
        student=spec,
        optim=OptimSpec(epochs=1),
        run=ExecutionSpec(output_dir=folder),
    )


def make_student(folder, seed=0, **student):
    torch.manual_seed(seed)
    spec = run_spec(folder, **student)
    built = find("students", spec.student.type).make(spec.student, len(CLASSES), 32).eval()
    for name, buffer in built.named_buffers():  # as after training: not the initial zeros and ones
        if name.endswith("running_mean"):
            buffer.uniform_(-0.1, 0.1)
    return spec, built


def save_model(folder, seed=0, temperature=1.0):
    spec, student = make_student(folder, seed)
    final_model.save(
        student,
        folder,
        spec=spec,
        classes=CLASSES,
        metrics={"accuracy": 0.5, "nll": float("nan")},
        card="# card\n",
        temperature=temperature,
    )
    return student
