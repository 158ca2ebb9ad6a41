"""A service that has a real trained model, and one that also runs its jobs."""

from __future__ import annotations

import shutil
import threading

import pytest
from fastapi.testclient import TestClient

from tandem.executors.fake import FakeExecutor
from tandem.executors.local import LocalExecutor
from tandem.server.app import create_app
from tandem.server.db.tables import Task
from tandem.server.host.clock import now
from tests.predict.annotations import write_images
from tests.train.export.models import save_model

SECONDS, PAUSE = 240, 0.2


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """A final_model folder; copied, never changed."""
    folder = tmp_path_factory.mktemp("model") / "final_model"
    save_model(folder)
    return folder


@pytest.fixture
def service(sqlite, settings_of, home, model):
    """`service(run=True)`: a client of the service, with TASK_1 completed and pictures to do."""
    shutil.copytree(model, home / "runs" / "TASK_1" / "final_model")
    write_images(home / "datasets" / "new", 9)
    opened = []

    def make(*, run=False, **env):
        url = sqlite.url.render_as_string(hide_password=False)
        executor = LocalExecutor() if run else FakeExecutor()
        app = create_app(settings_of(url, **env), executor, dispatch=run)
        client = TestClient(app, base_url="http://127.0.0.1")
        client.__enter__()
        opened.append(client)
        return client

    with sqlite.write() as session:
        row = Task(task_id="TASK_1", task_name="pets", teacher_model="q", student_model="resnet18")
        row.status, row.create_time, row.del_flag = "COMPLETED", now(), 0
        row.model_path = str(home / "runs" / "TASK_1" / "final_model")
        row.accuracy = row.best_accuracy = 71.5
        session.add(row)
        waiting = Task(task_id="TASK_2", task_name="x", teacher_model="q", student_model="s")
        waiting.status, waiting.create_time, waiting.del_flag = "PENDING", now(), 0
        session.add(waiting)
    yield make
    for client in opened:
        client.__exit__(None, None, None)


@pytest.fixture
def until():
    """`until(ask)`: what `ask` gives once it is true; fails after minutes."""

    def wait(ask):
        pause = threading.Event()
        for _ in range(int(SECONDS / PAUSE)):
            found = ask()
            if found:
                return found
            pause.wait(PAUSE)
        raise AssertionError("it did not come to pass")

    return wait
