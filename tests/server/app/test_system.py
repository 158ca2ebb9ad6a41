"""What the service says of itself and of what there is to choose from."""

from fastapi.testclient import TestClient


def test_the_machine_is_shown(client: TestClient):
    said = client.get("/api/v1/system").json()
    assert said["machine"]["cpus"] >= 1
    assert 0 < said["machine"]["memory_used_megabytes"] < said["machine"]["memory_total_megabytes"]
    assert said["database"] == "sqlite"
    assert said["dispatches"] is False


def test_the_catalogue_has_the_schema_of_every_knob(client: TestClient):
    said = client.get("/api/v1/catalog").json()
    assert {"resnet", "vit"} <= {one["name"] for one in said["students"]}
    assert "optim" in said["run_schema"]["properties"]
    teachers = {one["name"]: one for one in said["named_teachers"]}
    assert teachers["qwen2.5-vl-7b"]["here"] is False


def test_metrics_count_by_route_and_state(client: TestClient):
    task = {
        "taskName": "a",
        "teacherModel": "qwen2.5-vl-7b",
        "studentModel": "resnet50",
        "datasetId": "x",
    }
    made = client.post("/model-distillation/tasks", json=task).json()["data"]["taskId"]
    client.get(f"/model-distillation/tasks/{made}")
    said = client.get("/metrics").text
    assert 'tandem_tasks{status="PENDING"} 1.0' in said
    assert 'route="/model-distillation/tasks/{taskId}",status="200"} 1.0' in said
    assert made not in said
    assert "tandem_open_streams 0.0" in said
    assert "tandem_database_up 1.0" in said
    assert "process_resident_memory_bytes" in said


def test_health(client: TestClient):
    said = client.get("/actuator/health")
    assert (said.status_code, said.json()["status"]) == (200, "UP")
    assert said.json()["database"] == {"kind": "sqlite", "status": "UP"}


def test_metrics_say_that_the_data_base_is_away(client: TestClient):
    from sqlalchemy import text

    database = client.app.state.context.database
    with database.write() as session:
        session.execute(text("ALTER TABLE md_training_task RENAME TO gone"))
    said = client.get("/metrics")
    assert said.status_code == 200
    assert "tandem_database_up 0.0" in said.text
