"""/model-distillation/inference, line by line of the contract."""

import json

import pytest

from tandem.server.db.tables import Job, Task

ANNOTATIONS = {
    "inferenceId", "taskId", "modelType", "processedImages", "successCount", "failureCount",
    "outputDir", "status", "errorMessage", "startTime", "endTime", "duration",
}  # fmt: skip
A = "/model-distillation/inference"
V1 = "/api/v1/inference"
ASKED = {"taskId": "TASK_1", "inputDir": "new", "outputDir": "out"}


def test_submit_list_get_delete_in_the_old_clients_words(service, sqlite, home):
    client = service()
    answer = client.post(f"{A}/submit", params=ASKED).json()
    assert (answer["code"], answer["message"]) == (200, "success")
    one = answer["data"]
    assert set(one) == ANNOTATIONS
    assert one["taskId"] == "TASK_1"
    assert one["modelType"] == "resnet18"
    assert one["outputDir"] == str(home / "runs" / "out")
    assert (one["status"], one["processedImages"], one["failureCount"]) == ("QUEUED", 0, 0)
    with sqlite.read() as session:
        spec = json.loads(session.get(Job, one["inferenceId"]).spec)
    assert (spec["batch_size"], spec["writer"], spec["auto_import"]) == (8, "", False)
    second = client.post(f"{A}/submit", json=ASKED | {"batchSize": 3}).json()["data"]
    listed = client.get(f"{A}/list").json()["data"]
    assert [row["inferenceId"] for row in listed] == [second["inferenceId"], one["inferenceId"]]
    assert client.get(f"{A}/{one['inferenceId']}").json()["data"] == one
    assert client.delete(f"{A}/{one['inferenceId']}").json() == {
        "code": 200, "message": "success", "data": None,
    }  # fmt: skip
    gone = client.get(f"{A}/{one['inferenceId']}")
    assert (gone.status_code, gone.json()["code"]) == (404, 404)
    with sqlite.read() as session:
        assert session.query(Task).filter_by(task_id=one["inferenceId"]).one().del_flag == 1


def test_jobs_come_in_pages_the_newest_first(service):
    client = service()
    empty = client.get(V1).json()
    assert (empty["items"], empty["total"]) == ([], 0)
    made = [
        client.post(V1, json={"task_id": "TASK_1", "input_dir": "new"}).json()["inference_id"]
        for _ in range(5)
    ]
    client.delete(f"{V1}/{made.pop(2)}")
    pages = [client.get(V1, params={"page": page, "page_size": 3}).json() for page in (1, 2, 3)]
    assert [len(page["items"]) for page in pages] == [3, 1, 0]
    assert [one["inference_id"] for page in pages for one in page["items"]] == made[::-1]
    assert [page["total"] for page in pages] == [4, 4, 4]
    assert client.get(V1, params={"page_size": 201}).status_code == 422


def test_a_job_is_no_task_of_the_old_clients_but_waits_in_the_same_queue(service):
    client = service()
    one = client.post(f"{A}/submit", params=ASKED).json()["data"]["inferenceId"]
    tasks = client.get("/model-distillation/tasks").json()["data"]
    assert {task["taskId"] for task in tasks} == {"TASK_1", "TASK_2"}
    assert client.get(f"/model-distillation/tasks/{one}").status_code == 404
    assert client.get("/model-distillation/tasks/status/QUEUED").json()["data"] == []
    queue = client.get("/api/v1/queue").json()
    assert [row["task_id"] for row in queue["waiting"]] == [one]
    done = client.get("/model-distillation/completed-models?minAccuracy=70").json()["data"]
    assert [task["taskId"] for task in done] == ["TASK_1"]


def test_the_selectors_values_are_taken(service):
    client = service()
    said = ASKED | {"taskId": "distillation_TASK_1"}
    assert client.post(f"{A}/submit", params=said).json()["data"]["taskId"] == "TASK_1"


@pytest.mark.parametrize(
    ("changed", "status", "said"),
    [
        ({"taskId": "TASK_9"}, 404, "TASK_9"),
        ({"taskId": "TASK_2"}, 409, "PENDING"),
        ({"taskId": None}, 422, "taskId"),
        ({"inputDir": "../../etc"}, 403, "inputDir"),
        ({"inputDir": "/etc"}, 403, "inputDir"),
        ({"outputDir": "/tmp/elsewhere"}, 403, "outputDir"),
        ({"outputDir": "%2e%2e/x"}, 403, "outputDir"),
        ({"datasetId": "../new"}, 403, "datasetId"),
        ({"datasetId": "none"}, 422, "none"),
        ({"datasetId": "new@3"}, 409, "version 3"),
        ({"inputDir": "none"}, 422, "none"),
        ({"inputDir": None}, 422, "inputDir"),
        ({"batchSize": 0}, 422, "batchSize"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_queued(service, changed, status, said):
    client = service()
    asked = {name: one for name, one in (ASKED | changed).items() if one is not None}
    answer = client.post(f"{A}/submit", params=asked)
    assert answer.status_code == status, answer.text
    assert answer.json()["code"] == status
    assert said in answer.text
    assert client.get(f"{A}/list").json()["data"] == []


def test_a_field_that_is_not_known_is_named(service):
    answer = service().post(f"{A}/submit", json=ASKED | {"batchsize": 4})
    assert answer.status_code == 422
    assert "batchsize" in answer.text


def test_a_model_outside_the_roots_is_not_opened(service, sqlite, tmp_path):
    client = service()
    with sqlite.write() as session:
        session.query(Task).filter_by(task_id="TASK_1").one().model_path = str(tmp_path / "m")
    assert client.post(f"{A}/submit", params=ASKED).status_code == 403


def test_stop_and_resume_while_it_waits(service):
    client = service()
    one = client.post(V1, json={"task_id": "TASK_1", "input_dir": "new"})
    assert one.status_code == 201
    assert one.json()["model_name"] == "pets"
    at = f"{V1}/{one.json()['inference_id']}"
    assert client.post(f"{at}/resume").status_code == 409
    assert client.post(f"{at}/stop").json()["status"] == "STOPPED"
    assert client.post(f"{at}/stop").status_code == 409
    assert client.post(f"{at}/resume").json()["status"] == "QUEUED"
    assert client.get(f"{at}/progress").json()["processed"] == 0
    assert client.get(f"{at}/failures").json() == {
        "items": [], "total": 0, "page": 1, "page_size": 100,
    }  # fmt: skip
    assert client.delete(at).status_code == 204
    assert client.get(at).status_code == 404
