"""Jobs as the service runs them: real processes, a stop, a kill, a restart of the server."""

import os
import signal

from tests.predict.annotations import write_images

A = "/model-distillation/inference"
V1 = "/api/v1/inference"


def test_a_folder_is_annotated_and_its_failures_are_listed(service, home, until):
    (home / "datasets" / "new" / "a" / "0003.png").write_bytes(b"no picture")
    client = service(run=True)
    said = {"taskId": "TASK_1", "inputDir": "new", "outputDir": "out"}
    one = client.post(f"{A}/submit", params=said).json()["data"]["inferenceId"]

    def ended():
        row = client.get(f"{A}/{one}").json()["data"]
        return row if row["status"] in ("COMPLETED", "FAILED") else None

    row = until(ended)
    assert row["status"] == "COMPLETED", row["errorMessage"]
    assert (row["processedImages"], row["successCount"], row["failureCount"]) == (9, 8, 1)
    assert row["startTime"]
    assert row["endTime"]
    assert row["duration"] >= 0
    (failure,) = client.get(f"{V1}/{one}/failures").json()["items"]
    assert failure["name"] == "a/0003.png"
    assert "is no picture" in failure["problem"]
    assert len(list((home / "runs" / "out").rglob("0*.json"))) == 8


def test_a_stop_a_kill_and_a_new_server_lose_no_item(service, home, until):
    write_images(home / "datasets" / "many", 400)
    client = service(run=True)
    asked = {"taskId": "TASK_1", "inputDir": "many", "outputDir": "out", "batchSize": 2}
    one = client.post(f"{A}/submit", params=asked).json()["data"]["inferenceId"]
    journal = home / "runs" / one / "items.jsonl"

    def begun():
        return journal.is_file() and journal.stat().st_size

    def status():
        return client.get(f"{V1}/{one}").json()["status"]

    until(begun)
    client.post(f"{V1}/{one}/stop")
    until(lambda: status() == "STOPPED")
    done = journal.read_bytes().count(b"\n")
    assert 0 < done < 400
    client.post(f"{V1}/{one}/resume")
    until(lambda: journal.read_bytes().count(b"\n") > done)
    _kill(home / "runs" / one)
    client.__exit__(None, None, None)
    client = service(run=True)  # another server finds it lost, and goes on with it
    until(lambda: status() in ("COMPLETED", "FAILED"))
    assert client.get(f"{A}/{one}").json()["data"]["successCount"] == 400
    names = {line.split(b'"name": ')[1] for line in journal.read_bytes().splitlines()}
    assert len(names) == journal.read_bytes().count(b"\n") == 400
    assert len(list((home / "runs" / "out").rglob("0*.json"))) == 400


def _kill(run_dir):
    from tests.predict.annotations import lines

    pids = [one["pid"] for one in lines(run_dir / "events.jsonl") if one["type"] == "started"]
    os.kill(pids[-1], signal.SIGKILL)
