"""A task as installed clients know it."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from tandem.server.wire.envelope import Camel, UtcTime


class TaskOut(Camel):
    """One task. Accuracies are percentages."""

    # Rows are the tables' own: names and values that are there are not checked again.
    model_config = ConfigDict(title="Task", allow_inf_nan=True)
    id: int
    task_id: str = Field(examples=["TASK_AB12CD34"])
    task_name: str
    description: str | None
    task_input_name: str | None
    teacher_model: str
    student_model: str
    total_epochs: int | None
    current_epoch: int | None
    batch_size: int | None
    learning_rate: float | None
    temperature: float | None
    alpha: float | None
    lora_rank: int | None
    lora_alpha: int | None
    lora_dropout: float | None
    training_config: str | None
    """The advanced half, as JSON."""
    training_mode: str | None = Field(examples=["distillation"])
    status: str | None = Field(examples=["PENDING"])
    """PENDING, QUEUED, RUNNING, PAUSED, COMPLETED, FAILED or STOPPED."""
    progress: int | None
    """0 to 100."""
    accuracy: float | None
    loss: float | None
    best_accuracy: float | None
    dataset_id: str | None
    dataset_name: str | None
    val_dataset_id: str | None
    val_dataset_name: str | None
    model_path: str | None
    model_url: str | None
    checkpoint_path: str | None
    error_message: str | None
    start_time: UtcTime | None
    end_time: UtcTime | None
    duration: int | None
    """Seconds."""
    create_by: str | None
    create_time: UtcTime | None
    update_by: str | None
    update_time: UtcTime | None
    remark: str | None
    del_flag: int | None


FIELDS: tuple[str, ...] = tuple(TaskOut.model_fields)
"""The columns to be asked for, and no others."""
