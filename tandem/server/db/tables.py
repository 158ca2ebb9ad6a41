"""All tables, the same on SQLite, MySQL/MariaDB and PostgreSQL.

The first four are installed systems' own (database.md): names and columns are kept as they are.
The rest are Tandem's. Times are UTC without a zone.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import BigInteger, DateTime, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from tandem.server.db.base import Flag, Identity, Instant, LongText, Table, decimal
from tandem.server.db.dataset_tables import DatasetRow, DatasetVersion, TaskData, Upload

__all__ = [
    "Answered",
    "DelFlag",
    "Attempt",
    "DatasetRow",
    "DatasetVersion",
    "EvaluationRow",
    "Flag",
    "History",
    "Identity",
    "Instant",
    "Job",
    "Lease",
    "LongText",
    "PresetRow",
    "SearchGram",
    "SearchNumber",
    "Table",
    "Task",
    "TaskData",
    "THERE",
    "TaskEvent",
    "Upload",
    "decimal",
]


class DelFlag:
    """What the column `del_flag` says of a row."""

    # Plain numbers: PyMySQL does not bind an IntEnum.
    NORMAL: Final = 0
    """A task, or a preset: all that installed clients ask for."""
    DELETED: Final = 1
    ANNOTATION: Final = 2
    """An annotation job: for installed clients it is not there."""


THERE = (DelFlag.NORMAL, DelFlag.ANNOTATION)
"""What the queue, the dispatcher and the events take."""


class Task(Table):
    __tablename__ = "md_training_task"
    __table_args__ = (
        Index("idx_status", "status"),
        Index("idx_create_time", "create_time"),
        Index("idx_teacher_model", "teacher_model"),
        Index("idx_student_model", "student_model"),
        # Pages and counts come from these alone, however many tasks there are.
        Index("idx_task_page", "del_flag", "id"),
        Index("idx_task_page_status", "del_flag", "status", "id"),
    )
    id: Mapped[int] = mapped_column(Identity, primary_key=True, autoincrement=True)
    task_id: Mapped[str] = mapped_column(String(64), unique=True)
    task_name: Mapped[str] = mapped_column(String(255))
    task_input_name: Mapped[str | None] = mapped_column(String(255))
    description: Mapped[str | None] = mapped_column(String(500))
    teacher_model: Mapped[str] = mapped_column(String(100))
    student_model: Mapped[str] = mapped_column(String(100))
    total_epochs: Mapped[int | None] = mapped_column(Integer, server_default="50")
    current_epoch: Mapped[int | None] = mapped_column(Integer, server_default="0")
    batch_size: Mapped[int | None] = mapped_column(Integer, server_default="32")
    learning_rate: Mapped[float | None] = mapped_column(decimal(10, 8), server_default="0.001")
    temperature: Mapped[float | None] = mapped_column(decimal(5, 2), server_default="3.0")
    alpha: Mapped[float | None] = mapped_column(decimal(5, 2), server_default="0.7")
    lora_rank: Mapped[int | None] = mapped_column(Integer, server_default="16")
    lora_alpha: Mapped[int | None] = mapped_column(Integer, server_default="32")
    lora_dropout: Mapped[float | None] = mapped_column(decimal(5, 3), server_default="0.05")
    training_config: Mapped[str | None] = mapped_column(Text)
    training_mode: Mapped[str | None] = mapped_column(String(20))
    student_model_type: Mapped[str | None] = mapped_column(String(50))
    student_model_size: Mapped[str | None] = mapped_column(String(50))
    task_type: Mapped[str | None] = mapped_column(String(50), server_default="classification")
    num_classes: Mapped[int | None] = mapped_column(Integer, server_default="10")
    status: Mapped[str | None] = mapped_column(String(20), server_default="PENDING")
    progress: Mapped[int | None] = mapped_column(Integer, server_default="0")
    accuracy: Mapped[float | None] = mapped_column(decimal(10, 4))
    loss: Mapped[float | None] = mapped_column(decimal(10, 6))
    best_accuracy: Mapped[float | None] = mapped_column(decimal(10, 4))
    dataset_id: Mapped[str | None] = mapped_column(String(100))
    dataset_name: Mapped[str | None] = mapped_column(String(255))
    val_dataset_id: Mapped[str | None] = mapped_column(String(100))
    val_dataset_name: Mapped[str | None] = mapped_column(String(255))
    model_path: Mapped[str | None] = mapped_column(String(500))
    model_url: Mapped[str | None] = mapped_column(String(500))
    checkpoint_path: Mapped[str | None] = mapped_column(String(500))
    error_message: Mapped[str | None] = mapped_column(Text)
    start_time: Mapped[datetime | None] = mapped_column(DateTime)
    end_time: Mapped[datetime | None] = mapped_column(DateTime)
    duration: Mapped[int | None] = mapped_column(BigInteger)
    create_by: Mapped[str | None] = mapped_column(String(64))
    create_time: Mapped[datetime | None] = mapped_column(DateTime)
    update_by: Mapped[str | None] = mapped_column(String(64))
    update_time: Mapped[datetime | None] = mapped_column(DateTime)
    remark: Mapped[str | None] = mapped_column(String(500))
    del_flag: Mapped[int | None] = mapped_column(Flag, server_default="0")


class History(Table):
    __tablename__ = "md_training_history"
    __table_args__ = (
        Index("idx_task_id", "task_id"),
        Index("idx_epoch", "epoch"),
        Index("idx_record_time", "record_time"),
    )
    id: Mapped[int] = mapped_column(Identity, primary_key=True, autoincrement=True)
    task_id: Mapped[str] = mapped_column(String(64))
    epoch: Mapped[int] = mapped_column(Integer)
    train_loss: Mapped[float | None] = mapped_column(decimal(10, 6))
    train_accuracy: Mapped[float | None] = mapped_column(decimal(10, 4))
    val_loss: Mapped[float | None] = mapped_column(decimal(10, 6))
    val_accuracy: Mapped[float | None] = mapped_column(decimal(10, 4))
    distill_loss: Mapped[float | None] = mapped_column(decimal(10, 6))
    hard_loss: Mapped[float | None] = mapped_column(decimal(10, 6))
    soft_loss: Mapped[float | None] = mapped_column(decimal(10, 6))
    gpu_usage: Mapped[float | None] = mapped_column(decimal(5, 2))
    memory_usage: Mapped[float | None] = mapped_column(decimal(10, 2))
    epoch_time: Mapped[float | None] = mapped_column(decimal(10, 2))
    record_time: Mapped[datetime | None] = mapped_column(DateTime)


class PresetRow(Table):
    __tablename__ = "md_lora_preset"
    id: Mapped[int] = mapped_column(Identity, primary_key=True, autoincrement=True)
    preset_name: Mapped[str] = mapped_column(String(100), unique=True)
    preset_desc: Mapped[str | None] = mapped_column(String(500))
    lora_rank: Mapped[int | None] = mapped_column(Integer, server_default="16")
    lora_alpha: Mapped[int | None] = mapped_column(Integer, server_default="32")
    lora_dropout: Mapped[float | None] = mapped_column(decimal(5, 3), server_default="0.05")
    target_modules: Mapped[str | None] = mapped_column(String(500))
    create_by: Mapped[str | None] = mapped_column(String(64))
    create_time: Mapped[datetime | None] = mapped_column(DateTime)
    update_time: Mapped[datetime | None] = mapped_column(DateTime)
    del_flag: Mapped[int | None] = mapped_column(Flag, server_default="0")


class EvaluationRow(Table):
    __tablename__ = "md_model_evaluation"
    __table_args__ = (
        # PostgreSQL and SQLite hold an index's name once for a whole schema.
        Index("idx_evaluation_task_id", "task_id"),
        Index("idx_eval_time", "eval_time"),
    )
    id: Mapped[int] = mapped_column(Identity, primary_key=True, autoincrement=True)
    task_id: Mapped[str] = mapped_column(String(64))
    precision: Mapped[float | None] = mapped_column(decimal(10, 4))
    recall: Mapped[float | None] = mapped_column(decimal(10, 4))
    f1_score: Mapped[float | None] = mapped_column(decimal(10, 4))
    map_50: Mapped[float | None] = mapped_column(decimal(10, 4))
    map_95: Mapped[float | None] = mapped_column(decimal(10, 4))
    eval_dataset_id: Mapped[str | None] = mapped_column(String(100))
    eval_dataset_name: Mapped[str | None] = mapped_column(String(255))
    eval_sample_count: Mapped[int | None] = mapped_column(Integer)
    eval_time: Mapped[datetime | None] = mapped_column(DateTime)
    detailed_results: Mapped[str | None] = mapped_column(Text)


class Job(Table):
    """What Tandem knows of a task beyond the contract's row: its queue place and its process."""

    __tablename__ = "md_task_job"
    __table_args__ = (
        Index("idx_job_live", "live"),
        Index("idx_job_token", "token_hash"),
        Index("idx_job_position", "position"),
    )
    task_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    spec: Mapped[str | None] = mapped_column(LongText)
    """The RunSpec, as JSON; None for a task that an installed system made."""
    run_dir: Mapped[str | None] = mapped_column(String(1000))
    priority: Mapped[int] = mapped_column(Integer, server_default="0")
    """Higher goes first."""
    position: Mapped[int | None] = mapped_column(BigInteger)
    """Place in the queue among its priority; kept over a pause."""
    queued_at: Mapped[datetime | None] = mapped_column(Instant)
    waiting_reason: Mapped[str | None] = mapped_column(String(500))
    wanted: Mapped[str | None] = mapped_column(String(20))
    """`stop` or `pause`: what a person asked of the live run."""
    wanted_at: Mapped[datetime | None] = mapped_column(Instant)
    live: Mapped[int] = mapped_column(Flag, server_default="0")
    """1 while a process of it may be there, or its journal has not been read to the end."""
    attempt: Mapped[int] = mapped_column(Integer, server_default="0")
    """Executions so far."""
    resumes: Mapped[int] = mapped_column(Integer, server_default="0")
    """Times it was started again by itself since a person started it."""
    handle: Mapped[str | None] = mapped_column(Text)
    """The executor's handle of the live process, as JSON."""
    devices: Mapped[str | None] = mapped_column(String(500))
    """Leased slots as a JSON list: `gpu:0`, `cpu`."""
    token_hash: Mapped[str | None] = mapped_column(String(64))
    """SHA-256 of the run token; the token itself is nowhere."""
    last_seq: Mapped[int] = mapped_column(BigInteger, server_default="0")
    """The last event absorbed."""
    offset_bytes: Mapped[int] = mapped_column(BigInteger, server_default="0")
    """Just after it in the run folder's events.jsonl."""
    journal: Mapped[str | None] = mapped_column(String(32))
    """Which events.jsonl it is: a digest of its first line. A cleared folder begins another."""
    outcome: Mapped[str | None] = mapped_column(String(20))
    """`finished`, `failed` or `stopped`: what the present attempt said last of itself."""
    failure_class: Mapped[str | None] = mapped_column(String(30))
    advice: Mapped[str | None] = mapped_column(Text)
    """What to do about the failure."""
    heartbeat_at: Mapped[datetime | None] = mapped_column(Instant)
    doing: Mapped[str | None] = mapped_column(String(200))
    step: Mapped[int | None] = mapped_column(BigInteger)
    total_steps: Mapped[int | None] = mapped_column(BigInteger)
    metrics: Mapped[str | None] = mapped_column(Text)
    """The last step's values, as JSON."""


class SearchGram(Table):
    """Which tasks have three letters in their texts: keywords are looked up here first.

    Written by triggers of the data base, so that a row of any writer is found at once. It may hold
    too much, of texts that were changed since: who reads it compares the texts as well.
    """

    __tablename__ = "md_search_gram"
    # Its key is all there is of a row.
    __table_args__ = ({"sqlite_with_rowid": False},)
    gram: Mapped[str] = mapped_column(String(3), primary_key=True)
    """Three letters in a row, in lower case; two where they are no ASCII, which may be a word.
    Empty for a task with a text that is longer than `SearchNumber` counts."""
    task_key: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    """`Task.id`."""


class SearchNumber(Table):
    """1, 2, 3, …: where in a text its letters begin. Empty: there is no index of texts here."""

    __tablename__ = "md_search_number"
    n: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)


class TaskEvent(Table):
    """What happened to a task outside its runs: asked, queued, launched, adopted, lost, …"""

    __tablename__ = "md_task_event"
    __table_args__ = (Index("idx_task_event", "task_id", "id"),)
    id: Mapped[int] = mapped_column(Identity, primary_key=True, autoincrement=True)
    task_id: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(Instant)
    type: Mapped[str] = mapped_column(String(30))
    body: Mapped[str] = mapped_column(Text)


class Attempt(Table):
    """One execution of a task: where, when, and how it ended."""

    __tablename__ = "md_task_attempt"
    __table_args__ = (Index("idx_task_attempt", "task_id", "attempt", unique=True),)
    id: Mapped[int] = mapped_column(Identity, primary_key=True, autoincrement=True)
    task_id: Mapped[str] = mapped_column(String(64))
    attempt: Mapped[int] = mapped_column(Integer)
    executor: Mapped[str] = mapped_column(String(50))
    host: Mapped[str] = mapped_column(String(255))
    devices: Mapped[str | None] = mapped_column(String(500))
    started_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    exit_code: Mapped[int | None] = mapped_column(Integer)
    outcome: Mapped[str | None] = mapped_column(String(20))
    failure_class: Mapped[str | None] = mapped_column(String(30))
    message: Mapped[str | None] = mapped_column(Text)


class Lease(Table):
    """Which server dispatches. `beat` only rises: no machine's clock is compared to another's."""

    __tablename__ = "md_lease"
    name: Mapped[str] = mapped_column(String(50), primary_key=True)
    owner: Mapped[str] = mapped_column(String(100))
    beat: Mapped[int] = mapped_column(BigInteger, server_default="0")


class Answered(Table):
    """Answers given to an Idempotency-Key, to be given again."""

    __tablename__ = "md_answered"
    key_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    request_hash: Mapped[str] = mapped_column(String(64))
    status: Mapped[int] = mapped_column(Integer)
    body: Mapped[str] = mapped_column(LongText)
    at: Mapped[datetime] = mapped_column(Instant)
