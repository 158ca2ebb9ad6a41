"""Rows to show a console with before anything is trained; each says that it is a sample."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import RowMapping, select
from sqlalchemy.orm import Session

from tandem.server.db.database import Database
from tandem.server.db.tables import EvaluationRow, History, Task
from tandem.server.host.clock import now
from tandem.spec.state import State

REMARK = "示例数据 (sample data)"
TEACHER = "Qwen2.5-VL-7B"


class _Sample(NamedTuple):
    task_id: str
    name: str
    student: str
    size: str
    kind: str
    classes: int
    epochs: int
    batch_size: int
    learning_rate: float
    accuracy: float
    loss: float
    hours: int


_TASKS = (
    _Sample(
        "TASK_001",
        "安全帽检测 YOLOv8 (示例 sample)",
        "yolov8",
        "s",
        "detection",
        3,
        100,
        16,
        0.001,
        87.6,
        0.2341,
        9,
    ),
    _Sample(
        "TASK_002",
        "花卉分类 ResNet-50 (示例 sample)",
        "resnet",
        "resnet50",
        "classification",
        10,
        50,
        32,
        0.001,
        94.21,
        0.1876,
        4,
    ),
    _Sample(
        "TASK_003",
        "道路分割 UNet (示例 sample)",
        "unet",
        "medium",
        "segmentation",
        5,
        80,
        8,
        0.0005,
        89.34,
        0.2765,
        11,
    ),
    _Sample(
        "TASK_004",
        "质检分类 ViT (示例 sample)",
        "vit",
        "vit-base",
        "classification",
        20,
        60,
        32,
        0.0003,
        92.85,
        0.2103,
        7,
    ),
    _Sample(
        "TASK_005",
        "设备时序 LSTM (示例 sample)",
        "lstm",
        "medium",
        "sequence",
        4,
        40,
        64,
        0.002,
        78.4,
        0.6125,
        2,
    ),
)
_HALF_WAY = "TASK_005"
_EPOCHS = (
    # epoch, train loss, train accuracy, val loss, val accuracy: of TASK_001
    (20, 1.2415, 61.32, 1.3102, 59.87),
    (40, 0.7812, 73.95, 0.8534, 71.64),
    (60, 0.4926, 81.47, 0.5731, 79.55),
    (80, 0.3218, 86.71, 0.4012, 84.93),
    (100, 0.2341, 89.92, 0.3387, 87.6),
)


SAMPLE_IDS = frozenset(row.task_id for row in _TASKS)


def is_sample(row: RowMapping) -> bool:
    """Whether a row with `task_id`, `remark` and `description` is one of these."""
    return row["task_id"] in SAMPLE_IDS and REMARK in (row["remark"], row["description"])


def add_samples(database: Database) -> list[str]:
    """The task ids of the rows that were not there yet, and are now."""
    return database.run(_add)


def _add(session: Session) -> list[str]:
    ids = [row.task_id for row in _TASKS]
    there = set(session.scalars(select(Task.task_id).where(Task.task_id.in_(ids))))
    at = now().replace(microsecond=0)
    for number, row in enumerate(_TASKS):
        if row.task_id in there:
            continue
        start = at - timedelta(days=len(_TASKS) - number)
        session.add(_task(row, start))
        if row.task_id == "TASK_001":
            session.add_all(_history(start, row.hours))
            session.add(_evaluation(start + timedelta(hours=row.hours)))
    return [one for one in ids if one not in there]


def _task(row: _Sample, start: datetime) -> Task:
    half = row.task_id == _HALF_WAY
    end = start + timedelta(hours=row.hours)
    return Task(
        task_id=row.task_id,
        task_name=row.name,
        description=REMARK,
        teacher_model=TEACHER,
        student_model=row.student,
        student_model_type=row.student,
        student_model_size=row.size,
        training_mode="distillation",
        task_type=row.kind,
        num_classes=row.classes,
        total_epochs=row.epochs,
        current_epoch=row.epochs // 2 if half else row.epochs,
        progress=50 if half else 100,
        batch_size=row.batch_size,
        learning_rate=row.learning_rate,
        # Nothing runs: it has no job, so that no dispatcher launches, adopts or ends it.
        status=State.RUNNING if half else State.COMPLETED,
        accuracy=row.accuracy,
        best_accuracy=row.accuracy,
        loss=row.loss,
        start_time=start,
        end_time=None if half else end,
        duration=None if half else row.hours * 3600,
        create_by="system",
        create_time=start,
        update_time=start if half else end,
        remark=REMARK,
        del_flag=0,
    )


def _history(start: datetime, hours: int) -> list[History]:
    return [
        History(
            task_id="TASK_001",
            epoch=epoch,
            train_loss=train_loss,
            train_accuracy=train_accuracy,
            val_loss=val_loss,
            val_accuracy=val_accuracy,
            distill_loss=round(train_loss * 0.6, 6),
            hard_loss=round(train_loss * 0.3, 6),
            soft_loss=round(train_loss * 0.1, 6),
            gpu_usage=88.5,
            memory_usage=10240.0,
            epoch_time=hours * 36.0,
            record_time=start + timedelta(hours=hours * epoch / 100),
        )
        for epoch, train_loss, train_accuracy, val_loss, val_accuracy in _EPOCHS
    ]


def _evaluation(at: datetime) -> EvaluationRow:
    return EvaluationRow(
        task_id="TASK_001",
        precision=89.1,
        recall=86.3,
        f1_score=87.68,
        map_50=87.6,
        map_95=63.2,
        eval_dataset_name="示例验证集",
        eval_sample_count=500,
        eval_time=at,
        detailed_results=json.dumps({"sample": True, "remark": REMARK}, ensure_ascii=False),
    )
