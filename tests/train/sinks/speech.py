"""What a run says, for tests that listen."""

import time

from tandem.spec.event import parse


def start(emitter, resumed=None):
    emitter.emit(
        "started", total_epochs=3, device="cpu", processes=1, pid=1, resumed_from_epoch=resumed
    )


def epoch(emitter, number, **more):
    fields = {
        "epoch": number,
        "total_epochs": 3,
        "train_loss": 1 / number,
        "terms": {"cross_entropy": 0.25, "kl_div": 0.5, "feature_mse": 0.125},
        "val_loss": 0.5,
        "val_accuracy": 0.9 + number / 100,
        "learning_rate": 1e-4,
        "seconds": 1.5,
        "images_per_second": 100.0,
        "memory_megabytes": 512.0,
    }
    emitter.emit("epoch", **fields | more)


def evaluate(emitter, accuracy=0.93, **more):
    figures = {"accuracy": accuracy, "precision": 0.92, "recall": 0.91, "f1": 0.915}
    figures["latency_milliseconds"] = time.perf_counter()  # differs each time
    details = {"per_class": [{"class": "猫", "f1": 0.9}], "confusion_matrix": [[1, 0], [0, 1]]}
    fields = {"who": "student", "dataset": "cats", "samples": 50, "metrics": figures}
    emitter.emit("evaluation", **{**fields, "details": details, **more})


def end(emitter):
    emitter.emit("artifact", name="final_model", path="/out/模型/final_model", size_bytes=1)
    emitter.emit("finished", seconds=3.0, metrics={"accuracy": 0.93})


def whole_run(emitter):
    start(emitter)
    for number in (1, 2, 3):
        epoch(emitter, number)
    evaluate(emitter)
    end(emitter)


def notices(folder):
    events = [parse(line) for line in (folder / "events.jsonl").read_bytes().splitlines()]
    return [event.message for event in events if event.type == "notice"]


def told_once(service, epochs=(1, 2, 3)):
    """Nothing missing, nothing twice."""
    assert [row["epoch"] for row in service.taken("/history")] == list(epochs)
    assert len(service.taken("/evaluations")) == 1
    assert len(service.taken("/complete")) == 1
    assert len(service.taken("/model-path")) == 1
