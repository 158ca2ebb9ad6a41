"""The four tables of installed systems, adopted or made, and the four LoRA presets."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from alembic import op
from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Index,
    Integer,
    MetaData,
    Numeric,
    SmallInteger,
    String,
    Table,
    Text,
    insert,
    select,
)
from sqlalchemy.dialects import mysql

from tandem.server.db.migrations.adopt import adopt, say
from tandem.spec.errors import SpecError
from tandem.spec.i18n import t

revision = "0001"
down_revision = None

METADATA = MetaData()
Key = BigInteger().with_variant(Integer(), "sqlite")
Flag = SmallInteger().with_variant(mysql.TINYINT(), "mysql", "mariadb")

TABLES = (
    Table(
        "md_training_task",
        METADATA,
        Column("id", Key, primary_key=True, autoincrement=True),
        Column("task_id", String(64), unique=True, nullable=False),
        Column("task_name", String(255), nullable=False),
        Column("task_input_name", String(255)),
        Column("description", String(500)),
        Column("teacher_model", String(100), nullable=False),
        Column("student_model", String(100), nullable=False),
        Column("total_epochs", Integer, server_default="50"),
        Column("current_epoch", Integer, server_default="0"),
        Column("batch_size", Integer, server_default="32"),
        Column("learning_rate", Numeric(10, 8), server_default="0.001"),
        Column("temperature", Numeric(5, 2), server_default="3.0"),
        Column("alpha", Numeric(5, 2), server_default="0.7"),
        Column("lora_rank", Integer, server_default="16"),
        Column("lora_alpha", Integer, server_default="32"),
        Column("lora_dropout", Numeric(5, 3), server_default="0.05"),
        Column("training_config", Text),
        Column("training_mode", String(20)),
        Column("student_model_type", String(50)),
        Column("student_model_size", String(50)),
        Column("task_type", String(50), server_default="classification"),
        Column("num_classes", Integer, server_default="10"),
        Column("status", String(20), server_default="PENDING"),
        Column("progress", Integer, server_default="0"),
        Column("accuracy", Numeric(10, 4)),
        Column("loss", Numeric(10, 6)),
        Column("best_accuracy", Numeric(10, 4)),
        Column("dataset_id", String(100)),
        Column("dataset_name", String(255)),
        Column("val_dataset_id", String(100)),
        Column("val_dataset_name", String(255)),
        Column("model_path", String(500)),
        Column("model_url", String(500)),
        Column("checkpoint_path", String(500)),
        Column("error_message", Text),
        Column("start_time", DateTime),
        Column("end_time", DateTime),
        Column("duration", BigInteger),
        Column("create_by", String(64)),
        Column("create_time", DateTime),
        Column("update_by", String(64)),
        Column("update_time", DateTime),
        Column("remark", String(500)),
        Column("del_flag", Flag, server_default="0"),
        Index("idx_create_time", "create_time"),
        Index("idx_status", "status"),
        Index("idx_student_model", "student_model"),
        Index("idx_teacher_model", "teacher_model"),
    ),
    Table(
        "md_training_history",
        METADATA,
        Column("id", Key, primary_key=True, autoincrement=True),
        Column("task_id", String(64), nullable=False),
        Column("epoch", Integer, nullable=False),
        Column("train_loss", Numeric(10, 6)),
        Column("train_accuracy", Numeric(10, 4)),
        Column("val_loss", Numeric(10, 6)),
        Column("val_accuracy", Numeric(10, 4)),
        Column("distill_loss", Numeric(10, 6)),
        Column("hard_loss", Numeric(10, 6)),
        Column("soft_loss", Numeric(10, 6)),
        Column("gpu_usage", Numeric(5, 2)),
        Column("memory_usage", Numeric(10, 2)),
        Column("epoch_time", Numeric(10, 2)),
        Column("record_time", DateTime),
        Index("idx_epoch", "epoch"),
        Index("idx_record_time", "record_time"),
        Index("idx_task_id", "task_id"),
    ),
    Table(
        "md_lora_preset",
        METADATA,
        Column("id", Key, primary_key=True, autoincrement=True),
        Column("preset_name", String(100), unique=True, nullable=False),
        Column("preset_desc", String(500)),
        Column("lora_rank", Integer, server_default="16"),
        Column("lora_alpha", Integer, server_default="32"),
        Column("lora_dropout", Numeric(5, 3), server_default="0.05"),
        Column("target_modules", String(500)),
        Column("create_by", String(64)),
        Column("create_time", DateTime),
        Column("update_time", DateTime),
        Column("del_flag", Flag, server_default="0"),
    ),
    Table(
        "md_model_evaluation",
        METADATA,
        Column("id", Key, primary_key=True, autoincrement=True),
        Column("task_id", String(64), nullable=False),
        Column("precision", Numeric(10, 4)),
        Column("recall", Numeric(10, 4)),
        Column("f1_score", Numeric(10, 4)),
        Column("map_50", Numeric(10, 4)),
        Column("map_95", Numeric(10, 4)),
        Column("eval_dataset_id", String(100)),
        Column("eval_dataset_name", String(255)),
        Column("eval_sample_count", Integer),
        Column("eval_time", DateTime),
        Column("detailed_results", Text),
        Index("idx_eval_time", "eval_time"),
        Index("idx_evaluation_task_id", "task_id"),
    ),
)

PRESETS = (
    ("标准配置", "日常微调的默认选择", 16, 32, 0.05, "q_proj v_proj"),
    ("高效配置", "显存少或数据少时用", 8, 16, 0.05, "q_proj v_proj"),
    ("高精度配置", "覆盖全部注意力层", 32, 64, 0.03, "q_proj v_proj k_proj o_proj"),
    (
        "全参数配置",
        "覆盖注意力层和前馈层",
        16,
        32,
        0.05,
        "q_proj v_proj k_proj o_proj gate_proj up_proj down_proj",
    ),
)
"""Name, description, rank, alpha, dropout, target modules."""


def upgrade() -> None:
    adopt(TABLES)
    _seed()


def downgrade() -> None:
    raise SpecError(
        "The tables of installed systems are never taken away.",
        fix="Restore a backup instead.",
    )


def _seed() -> None:
    """By name, a row marked as deleted counts too. It happens once, as a revision does."""
    table = METADATA.tables["md_lora_preset"]
    there = set(op.get_bind().execute(select(table.c.preset_name)).scalars())
    now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    for name, about, rank, alpha, dropout, modules in PRESETS:
        if name in there:
            continue
        row = insert(table).values(
            preset_name=name,
            preset_desc=about,
            lora_rank=rank,
            lora_alpha=alpha,
            lora_dropout=dropout,
            target_modules=json.dumps(modules.split()),
            create_by="system",
            create_time=now,
            update_time=now,
            del_flag=0,
        )
        op.get_bind().execute(row)
        say(t("Added the LoRA preset {name}.", name=name))
