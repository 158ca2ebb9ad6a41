"""An installed Java system's data base as Tandem may find it: older, with more and with less."""

from __future__ import annotations

from sqlalchemy import inspect, text

from tandem.server.db.database import Database

IDS = {
    "sqlite": "INTEGER PRIMARY KEY AUTOINCREMENT",
    "mysql": "BIGINT(20) NOT NULL AUTO_INCREMENT PRIMARY KEY",
    "postgresql": "BIGSERIAL PRIMARY KEY",
}

_TASKS = """
CREATE TABLE md_training_task (
  id {id},
  task_id VARCHAR(64) NOT NULL,
  task_name VARCHAR(255) NOT NULL,
  teacher_model VARCHAR(100) NOT NULL,
  student_model VARCHAR(100) NOT NULL,
  dataset_id BIGINT DEFAULT NULL {comment},
  val_dataset_id BIGINT DEFAULT 7,
  tenant_code VARCHAR(20) DEFAULT '租户%',
  total_epochs INT DEFAULT 50,
  learning_rate DECIMAL(10,8) DEFAULT 0.00100000,
  accuracy DECIMAL(10,4),
  loss DECIMAL(10,6),
  training_config TEXT,
  model_path VARCHAR(200) {collate} DEFAULT 'a: b%',
  error_message VARCHAR(500),
  status VARCHAR(20) DEFAULT 'PENDING',
  start_time {datetime},
  create_time {datetime},
  remark VARCHAR(500)
){options}
"""
_HISTORY = """
CREATE TABLE md_training_history (
  id {id},
  task_id VARCHAR(64) NOT NULL,
  epoch INT NOT NULL,
  train_loss DECIMAL(10,6),
  record_time {datetime}
){options}
"""
_PRESETS = """
CREATE TABLE md_lora_preset (
  id {id},
  preset_name VARCHAR(100) NOT NULL,
  lora_rank INT DEFAULT 16,
  del_flag SMALLINT DEFAULT 0
){options}
"""
_OTHERS = "CREATE TABLE sys_user (id {id}, name VARCHAR(50) NOT NULL, task BIGINT){options}"

ROWS = (
    "INSERT INTO md_training_task (task_id, task_name, teacher_model, student_model, dataset_id,"
    " learning_rate, accuracy, loss, training_config, status, start_time, create_time, remark)"
    " VALUES ('TASK_9', '检测 🙂 ''x''', 'qwen', 'yolo', 9007199254740993, 0.00012345, 94.2100,"
    " 9999.999999, '{\"键\": [1, 2.50]}', 'RUNNING', '2024-02-29 23:59:59',"
    " '2024-01-01 00:00:00', '备注 %s :x')",
    "INSERT INTO md_training_task (task_id, task_name, teacher_model, student_model)"
    " VALUES ('TASK_8', 'b', 't', 's')",
    "INSERT INTO md_training_task (task_id, task_name, teacher_model, student_model, dataset_id,"
    " val_dataset_id, status) VALUES ('TASK_7', '', '', '', -1, NULL, NULL)",
    "INSERT INTO md_training_history (task_id, epoch, train_loss) VALUES ('TASK_9', 1, 0.123456)",
    "INSERT INTO md_lora_preset (preset_name, lora_rank, del_flag) VALUES ('高效配置', 99, 1)",
    "INSERT INTO md_lora_preset (preset_name) VALUES ('我的')",
    "INSERT INTO sys_user (name, task) VALUES ('张三', 1)",
)


def install(database: Database) -> None:
    """Make it, with rows."""
    kind = database.dialect
    words = {
        "id": IDS[kind],
        "datetime": "TIMESTAMP" if kind == "postgresql" else "DATETIME",
        "comment": "COMMENT '数据集: 100% 的' " if kind == "mysql" else "",
        "collate": "CHARACTER SET latin1 COLLATE latin1_bin" if kind == "mysql" else "",
        "options": " DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci" if kind == "mysql" else "",
    }
    statements = [one.format(**words) for one in (_TASKS, _HISTORY, _PRESETS, _OTHERS)]
    statements.append("CREATE INDEX by_state ON md_training_task (status, create_time)")
    statements.append("CREATE INDEX idx_create_time ON sys_user (name)")
    statements.append("CREATE INDEX by_data ON md_training_task (dataset_id)")
    if kind == "sqlite":
        statements.append(
            "CREATE TRIGGER kept AFTER INSERT ON md_training_task"
            " BEGIN UPDATE sys_user SET task = new.id; END"
        )
        statements.append("CREATE VIEW seen AS SELECT task_id, dataset_id FROM md_training_task")
        statements.append(
            "CREATE TABLE child (task BIGINT REFERENCES md_training_task (id) ON DELETE CASCADE)"
        )
    with database.engine.connect() as connection:
        for statement in (*statements, *ROWS):
            connection.execution_options(no_parameters=True).exec_driver_sql(statement)
        if kind == "mysql":
            connection.exec_driver_sql("SET SESSION sql_mode = ''")
            connection.exec_driver_sql(
                "UPDATE md_training_task SET start_time = '0000-00-00 00:00:00' WHERE id = 2"
            )
        if kind == "sqlite":
            connection.exec_driver_sql("INSERT INTO child VALUES (1)")
        connection.commit()
        connection.detach()


def contents(database: Database) -> dict[str, list[dict[str, object]]]:
    """All rows by table and column, every value as the data base writes it."""
    with database.engine.connect() as connection:
        names = inspect(connection).get_table_names()
        columns = {
            name: [column["name"] for column in inspect(connection).get_columns(name)]
            for name in names
        }
        as_text = "CAST({} AS CHAR)" if database.dialect == "mysql" else "CAST({} AS TEXT)"
        return {
            name: [
                dict(row._mapping)
                for row in connection.execute(
                    text(
                        "SELECT "
                        + ", ".join(
                            f"{as_text.format(quoted(database, one))} AS {quoted(database, one)}"
                            for one in columns[name]
                        )
                        + f" FROM {name} ORDER BY 1"
                    )
                )
            ]
            for name in names
        }


def quoted(database: Database, name: str) -> str:
    return database.engine.dialect.identifier_preparer.quote(name)
