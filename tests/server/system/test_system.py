"""What the service says of itself and of what there is to choose from."""

from importlib.metadata import version

from fastapi.testclient import TestClient

from tandem.config.keys import Value


def test_the_machine_is_shown(client: TestClient):
    said = client.get("/api/v1/system").json()
    assert said["machine"]["cpus"] >= 1
    assert 0 < said["machine"]["memory_used_megabytes"] < said["machine"]["memory_total_megabytes"]
    assert said["database"] == "sqlite"
    assert said["dispatches"] is False


def test_packages_and_what_is_missing_are_named(client: TestClient):
    settings = client.app.state.context.settings.everything
    settings.path("models_root").mkdir(parents=True)
    said = client.get("/api/v1/system").json()
    assert said["versions"]["fastapi"] == version("fastapi")
    licences = {one["name"]: one for one in said["licences"]}
    assert licences["tandem-distill"]["licence"] == "Apache-2.0"
    assert licences["torch"]["url"].startswith("https://")
    assert all(one["licence"] != "-" for one in said["licences"]), said["licences"]
    missing = {one["what"]: one for one in said["missing"]}
    assert "teachers" in missing
    assert all(one["why"] and one["fix"] for one in missing.values())
    assert isinstance(said["web"], bool)
    folder = settings.path("models_root") / "mine"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    again = client.get("/api/v1/system").json()["missing"]
    assert "teachers" not in {one["what"] for one in again}


def test_the_catalog_has_the_schema_of_every_knob(client: TestClient):
    said = client.get("/api/v1/catalog").json()
    assert {"resnet", "vit"} <= {one["name"] for one in said["students"]}
    assert "optim" in said["run_schema"]["properties"]
    teachers = {one["name"]: one for one in said["named_teachers"]}
    assert teachers["qwen2.5-vl-7b"]["here"] is False


def test_the_catalog_names_the_weights_that_a_student_starts_from(client: TestClient):
    weights = client.app.state.context.settings.everything.students
    assert isinstance(weights, dict)
    weights["ResNet-18"] = Value("torchvision", "a test")
    students = {one["name"]: one for one in client.get("/api/v1/catalog").json()["students"]}
    assert students["resnet"]["configured_weights"] == {"resnet18": "torchvision"}
    assert students["vit"]["configured_weights"] == {}


def test_the_catalog_speaks_the_readers_language(client: TestClient):
    chinese, english = (
        client.get("/api/v1/catalog", headers={"Accept-Language": lang}).json()
        for lang in ("zh-CN", "en")
    )
    for said, title in ((chinese, "学习率"), (english, "Learning rate")):
        field = said["run_schema"]["$defs"]["OptimSpec"]["properties"]["learning_rate"]
        assert (field["title"], field["level"]) == (title, "basic")
    sizes = {one["name"]: one for one in chinese["students"]}["resnet"]
    assert sizes["memory_megabytes"]["resnet18"] == 187.2
    assert "一" <= sizes["about"][-2] <= "龥"


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
