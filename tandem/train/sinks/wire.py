"""What a service that speaks /model-distillation is told of each event (camelCase, percentages)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from tandem.spec.event import (
    Artifact,
    Epoch,
    Evaluation,
    Event,
    Failed,
    Finished,
    Started,
    Stopped,
)
from tandem.spec.measured import (
    accuracy,
    details_text,
    digest,
    distill_loss,
    finite,
    hard_loss,
    percentage,
    soft_loss,
)

FORWARDED = frozenset(
    {"started", "epoch", "evaluation", "artifact", "finished", "failed", "stopped"}
)
# What the service's columns hold: decimal(10,6), (10,4), (5,2) and (10,2).
LOSS, RATIO, USAGE, AMOUNT = (1e4, 6), (1e6, 4), (1e3, 2), (1e8, 2)
URL_BYTES = 4_000  # of the 8,000 that servers take in a request line
PATH_LETTERS = 500  # varchar(500)


@dataclass
class Call:
    """One request about a task; `what` names it, in sentences too."""

    what: str
    method: str
    path: str
    body: dict[str, object] | None = None
    params: dict[str, str] | None = None
    key: str = ""
    digest: str = ""
    """An evaluation's digest: the same figures of the same data have the same one."""
    left_out: list[tuple[str, float]] = field(default_factory=list)
    """Figures that the service's columns cannot hold."""

    def put(self, name: str, value: float | None, column: tuple[float, int]) -> None:
        """One figure into the body, if there is one and it fits."""
        if value is None or self.body is None:
            return
        below, digits = column
        # Rounded before it is compared: 9999.9999999 fits the column, what it is rounded to does
        # not.
        if math.isfinite(value) and abs(round(value, digits)) < below:
            self.body[name] = round(value, digits)
        else:
            self.left_out.append((name, value))


def calls(event: Event, run_id: str) -> list[Call]:
    """The requests for one event, in order; none for events that only the run folder keeps."""
    task = f"/tasks/{quote(event.task_id, safe='')}"
    match event:
        case Started():
            made = [_started(event, task)]
        case Epoch():
            made = [_history(event, task), _epoch_progress(event, task)]
        case Evaluation(who="student", epoch=None):
            made = [_evaluation(event, task, run_id)]
        case Artifact(name="final_model"):
            made = [_model_path(event, task)]
        case Finished():
            made = [Call("complete", "POST", f"{task}/complete")]
        case Failed():
            told = {"errorMessage": _short(event.message)}
            made = [Call("error", "PUT", f"{task}/error", params=told)]
        case Stopped():
            body = {"currentEpoch": event.epoch, "status": "STOPPED"}
            made = [Call("progress", "PUT", f"{task}/progress", body)]
        case _:
            made = []
    for call in made:
        if call.method == "POST":  # an event has one at most
            call.key = f"{quote(event.task_id, safe='')}-{event.attempt}-{event.seq}"
    return made


def _started(event: Started, task: str) -> Call:
    body = {
        "currentEpoch": event.resumed_from_epoch or 0,
        "totalEpochs": event.total_epochs,
        "status": "RUNNING",
    }
    return Call("progress", "PUT", f"{task}/progress", body)


def _epoch_progress(event: Epoch, task: str) -> Call:
    body: dict[str, object] = {
        "currentEpoch": event.epoch,
        "totalEpochs": event.total_epochs,
        "status": "RUNNING",
    }
    call = Call("progress", "PUT", f"{task}/progress", body)
    call.put("accuracy", accuracy(event), RATIO)
    call.put("valAccuracy", percentage(event.val_accuracy), RATIO)
    call.put("loss", event.train_loss, LOSS)
    call.put("trainLoss", event.train_loss, LOSS)
    call.put("valLoss", event.val_loss, LOSS)
    call.left_out.clear()  # the history of the same epoch has said it
    return call


def _history(event: Epoch, task: str) -> Call:
    body = {"taskId": event.task_id, "epoch": event.epoch, "recordTime": _utc(event.at)}
    call = Call("history", "POST", f"{task}/history", body)
    call.put("trainLoss", event.train_loss, LOSS)
    call.put("valLoss", event.val_loss, LOSS)
    call.put("trainAccuracy", percentage(event.train_accuracy), RATIO)
    call.put("valAccuracy", percentage(event.val_accuracy), RATIO)
    call.put("hardLoss", hard_loss(event), LOSS)
    call.put("softLoss", soft_loss(event), LOSS)
    call.put("distillLoss", distill_loss(event), LOSS)
    call.put("gpuUsage", event.gpu_usage_percent, USAGE)
    call.put("memoryUsage", event.memory_megabytes, AMOUNT)
    call.put("epochTime", event.seconds, AMOUNT)
    return call


def _evaluation(event: Evaluation, task: str, run_id: str) -> Call:
    body = {
        "taskId": event.task_id,
        "evalDatasetId": event.dataset[:100],
        "evalDatasetName": event.dataset[:255],
        "evalSampleCount": event.samples,
        "evalTime": _utc(event.at),
    }
    call = Call("evaluation", "POST", f"{task}/evaluations", body, digest=digest(event))
    for theirs, ours in EVALUATION_FIELDS.items():
        call.put(theirs, percentage(event.metrics.get(ours)), RATIO)
    facts = {"runId": run_id, "attempt": event.attempt, "seq": event.seq, "digest": call.digest}
    facts |= {"metrics": finite(event.metrics)}
    body["detailedResults"] = details_text(facts, event.details)
    return call


EVALUATION_FIELDS = {
    "precision": "precision",
    "recall": "recall",
    "f1Score": "f1",
    "map50": "map50",
    "map95": "map95",
}


def _model_path(event: Artifact, task: str) -> Call:
    url = Path(event.path).as_uri() if Path(event.path).is_absolute() else event.path
    params = {"modelPath": event.path}
    if len(url) <= PATH_LETTERS:
        params["modelUrl"] = url
    return Call("model-path", "PUT", f"{task}/model-path", params=params)


def _short(message: str) -> str:
    """Goes into the address, where a Chinese letter takes nine bytes."""
    while len(quote(message)) > URL_BYTES:
        message = message[: len(message) * 9 // 10 - 1] + "…"
    return message


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
