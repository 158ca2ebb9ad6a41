"""A second task on the same data: another student and loss, and no forward of the teacher."""

from __future__ import annotations

from benchmarks.engine import Room, changed, room, run
from benchmarks.row import Row
from tandem.spec.run import RunSpec
from tandem.train.demo.digits_teacher import TeacherRecipe
from tandem.train.demo.recipe import make_spec


def measure() -> list[Row]:
    with room(TeacherRecipe(epochs=1)) as here:
        first = run(_spec(here, "first")).report.teacher
        second = changed(
            _spec(here, "second"),
            student={"size": "resnet34"},
            loss={"soft_loss": "dkd", "feature_weight": 0.0},
            run={"seed": 1},
        )
        checked = run(second).report.teacher
        unchecked = run(
            changed(
                second,
                run={"output_dir": here.folder / "runs" / "unchecked"},
                cache={"verify_samples": 0},
            )
        ).report.teacher
    assert first is not None
    assert checked is not None
    assert unchecked is not None
    return [
        Row(
            "a second task on the same data: teacher forwards",
            f"{unchecked.forwards}",
            "0 (but the verified samples)",
            unchecked.forwards == 0 and checked.forwards <= 2 * second.cache.verify_samples,
            f"the first task asked for {first.forwards} views of 1,797 pictures; the second one "
            f"{checked.forwards}, all of them samples verified in train and val, and none with "
            "cache.verify_samples 0",
        )
    ]


def _spec(here: Room, name: str) -> RunSpec:
    spec = make_spec(
        here.folder / "runs" / name,
        datasets=here.datasets,
        teacher=here.teacher,
        cache=here.folder / "cache",
        seed=0,
    )
    return changed(spec, optim={"epochs": 1}, report={"baseline": False, "tensorboard": False})
