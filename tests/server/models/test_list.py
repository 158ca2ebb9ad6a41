"""Which models there are, and what is told of one."""

import io
import json
import zipfile

from tandem.executors.fake import FakeExecutor
from tandem.server.context import Context
from tandem.server.db.tables import Job, Task, TaskData
from tandem.server.events.hub import Hub
from tandem.server.host.clock import now
from tandem.server.models import service
from tandem.server.models.facts import facts
from tests.train.export.models import CLASSES

V1 = "/api/v1/models"


def add(database, task_id, spec=None, **columns):
    with database.write() as session:
        row = Task(task_id=task_id, task_name=task_id, teacher_model="-", student_model="resnet18")
        row.status, row.create_time, row.del_flag = "COMPLETED", now(), 0
        for name, value in columns.items():
            setattr(row, name, value)
        session.add(row)
        if spec is not None:
            session.add(
                Job(task_id=task_id, spec=json.dumps(spec), priority=0, live=0, attempt=0,
                    resumes=0, last_seq=0, offset_bytes=0)
            )  # fmt: skip


def listed(client, **params):
    answer = client.get(V1, params=params)
    assert answer.status_code == 200, answer.text
    return [one["task_id"] for one in answer.json()["items"]], answer.json()


def test_what_is_measured_is_told_and_nothing_else(service, reported, sqlite):
    client = service()
    add(sqlite, "TASK_3", task_type="detection", best_accuracy=50, training_mode="imported")
    with sqlite.write() as session:
        session.query(Task).filter_by(task_id="TASK_1").one().task_type = "classification"
        for attempt, number in ((1, 1), (2, 3)):
            session.add(
                TaskData(task_id="TASK_1", attempt=attempt, part="train", name_hash="h",
                         name="pets", number=number)
            )  # fmt: skip
    ids, body = listed(client)
    assert (set(ids), body["total"]) == ({"TASK_3", "TASK_1"}, 2)  # TASK_2 has no model yet
    by_id = {one["task_id"]: one for one in body["items"]}
    one = by_id["TASK_1"]
    assert one["parameters"] == 11_178_051
    assert (one["size_bytes"], one["latency_milliseconds"]) == (44_000_000, 1.5)
    assert (one["accuracy"], one["figure"], one["kind"]) == (71.5, "accuracy", "classification")
    assert (one["classes_count"], one["dataset_version"]) == (len(CLASSES), 3)
    assert (one["here"], one["imported"], one["exports"]) == (True, False, [])
    gone = by_id["TASK_3"]
    assert (gone["here"], gone["imported"], gone["figure"]) == (False, True, "map50")
    for name in ("parameters", "size_bytes", "latency_milliseconds", "teacher_model"):
        assert gone[name] is None


def test_pages_are_filtered_and_ordered_by_the_data_base(service, sqlite):
    client = service()
    add(sqlite, "TASK_3", task_name="Roads", task_type="segmentation", best_accuracy=40)
    add(sqlite, "TASK_4", task_name="ROOFS 50%", task_type="segmentation", best_accuracy=None,
        accuracy=90)  # fmt: skip
    add(sqlite, "TASK_5", task_name="roads", del_flag=1)
    assert listed(client, kind="segmentation", sort="name")[0] == ["TASK_4", "TASK_3"]
    assert listed(client, keyword="roads")[0] == ["TASK_3"]
    assert listed(client, keyword="50%")[0] == ["TASK_4"]
    assert listed(client, sort="-accuracy")[0] == ["TASK_4", "TASK_1", "TASK_3"]
    ids, body = listed(client, sort="accuracy", page=2, page_size=2)
    assert (ids, body["total"], body["page"], body["page_size"]) == (["TASK_4"], 3, 2, 2)
    refused = client.get(V1, params={"sort": "password"})
    assert refused.status_code == 422
    assert "accuracy, created_at" in refused.json()["detail"]


def test_every_data_base_gives_the_same_page(database, settings_of):
    """The newest task's model, its version and its maker."""
    url = database.url.render_as_string(hide_password=False)
    context = Context(settings_of(url), database, FakeExecutor(), Hub())
    root = context.settings.output_root
    add(database, "TASK_1", best_accuracy=None)
    add(database, "TASK_2", best_accuracy=40, teacher_model="t",
        spec={"teacher": {"path": str(root / "TASK_1" / "final_model")}})  # fmt: skip
    add(database, "TASK_3", best_accuracy=90, task_name="Roads")
    items, total = service.page(context, 1, 2, None, None, "-accuracy")
    assert ([one.task_id for one in items], total) == (["TASK_3", "TASK_2"], 3)
    assert items[1].teacher_task_id == "TASK_1"
    assert [one.task_id for one in service.page(context, 2, 2, None, None, "accuracy")[0]] == [
        "TASK_1"
    ]
    assert service.page(context, 1, 2, "roADS", "detection", "name") == ([], 0)


def test_one_tells_where_it_comes_from(service, reported, sqlite, home):
    client = service()
    run = home / "runs" / "TASK_1"
    taught = {"teacher": {"path": str(run / "final_model")}, "student": {"path": str(run)}}
    add(sqlite, "TASK_3", spec=taught, teacher_model="pets", training_mode="distillation")
    own = client.get(f"{V1}/TASK_1").json()
    assert (own["classes"], own["image_size"]) == (CLASSES, 32)
    assert own["lineage"]["teacher"] == {"name": "q", "task_id": None, "accuracy": 90}
    assert own["lineage"]["task"]["task_id"] == "TASK_1"
    names = {one["path"]: one["size_bytes"] for one in own["files"]}
    assert set(names) >= {"config.json", "model.safetensors", "README.md"}
    assert names["config.json"] == (run / "final_model" / "config.json").stat().st_size
    assert own["licence_note"] is None
    child = client.get(f"{V1}/TASK_3").json()
    assert child["teacher_task_id"] == "TASK_1"
    assert child["lineage"]["teacher"]["task_id"] == "TASK_1"
    assert child["lineage"]["parent"] == {"name": "pets", "task_id": "TASK_1", "accuracy": 71.5}
    whole = client.get(f"{V1}/TASK_1/download")
    with zipfile.ZipFile(io.BytesIO(whole.content)) as archive:
        assert archive.read("config.json") == (run / "final_model" / "config.json").read_bytes()
    assert client.get(f"{V1}/TASK_3/download").status_code == 409
    assert client.get(f"{V1}/TASK_2").status_code == 409
    assert client.get(f"{V1}/TASK_9").status_code == 404


def test_a_broken_report_costs_its_figures_only(service, home):
    client = service()
    for text in ("", "[]", "{", '{"student": 3, "exports": [1], "at": NaN}'):
        (home / "runs" / "TASK_1" / "report.json").write_text(text)
        (one,) = client.get(V1).json()["items"]
        assert (one["here"], one["latency_milliseconds"]) == (True, None)
        assert one["parameters"] == 11_178_051  # counted in the weights' own header
        assert one["size_bytes"] > 40_000_000


def test_files_are_read_again_when_they_change(reported):
    folder = reported / "final_model"
    assert facts(folder).latency_milliseconds == 1.5
    assert facts(folder) is facts(folder)
    told = json.loads((reported / "report.json").read_text())
    told["student"]["measured"]["metrics"]["latency_milliseconds"] = 20.25
    (reported / "report.json").write_text(json.dumps(told))
    assert facts(folder).latency_milliseconds == 20.25
