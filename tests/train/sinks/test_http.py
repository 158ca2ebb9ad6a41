"""A service hears everything once: though it goes away, dies in an answer, or we are killed."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tandem.spec.errors import OutputFolderError, SpecError
from tandem.train.sinks.delivery import DeliveryCursor
from tandem.train.sinks.emitter import Emitter
from tandem.train.sinks.http import Http, deliver
from tandem.train.sinks.service import ServiceClient

from .recorder import Recorder
from .speech import end, epoch, evaluate, notices, start, told_once, whole_run


def test_a_run_arrives_in_order_in_the_words_of_the_contract(tmp_path, service):
    emitter = Emitter(tmp_path, "TASK 1", [Http(service.url)])
    whole_run(emitter)
    emitter.close()
    told_once(service)
    assert {path.split("/")[2] for _, path, _ in service.took} == {"TASK 1"}
    progress = service.taken("/progress")
    assert progress[0] == {"currentEpoch": 0, "totalEpochs": 3, "status": "RUNNING"}
    assert progress[2]["currentEpoch"] == 2
    assert progress[2]["accuracy"] == pytest.approx(92.0)
    row = service.taken("/history")[0]
    assert row["taskId"] == "TASK 1"
    assert row["valAccuracy"] == pytest.approx(91.0)
    assert (row["hardLoss"], row["softLoss"], row["distillLoss"]) == (0.25, 0.5, 0.625)
    assert row["memoryUsage"] == 512.0
    assert row["recordTime"].endswith("Z")
    evaluation = service.taken("/evaluations")[0]
    assert (evaluation["precision"], evaluation["f1Score"]) == (92.0, 91.5)
    assert evaluation["evalSampleCount"] == 50
    details = json.loads(evaluation["detailedResults"])
    assert details["per_class"][0]["class"] == "猫"
    assert details["seq"] == 5
    path = service.taken("/model-path")[0]
    assert path["modelPath"] == "/out/模型/final_model"
    assert path["modelUrl"].startswith("file:///out/")
    assert notices(tmp_path) == []
    keys = [h["Idempotency-Key"] for h in service.headers if "Idempotency-Key" in h]
    assert len(keys) == len(set(keys)) == 5


@pytest.mark.parametrize("ending", ["", "/", "/model-distillation", "/model-distillation/"])
def test_the_address_may_name_the_surface_or_not(tmp_path, service, ending):
    emitter = Emitter(tmp_path, "T", [Http(service.url + ending)])
    start(emitter)
    emitter.close()
    assert [path for _, path, _ in service.took] == ["/tasks/T/progress"]


def test_a_service_that_goes_away_in_the_middle_misses_nothing(tmp_path, service):
    emitter = Emitter(tmp_path, "T", [Http(service.url)])
    start(emitter)
    epoch(emitter, 1)
    wait_for(lambda: len(service.taken("/progress")) == 2)
    service.down()
    epoch(emitter, 2)
    epoch(emitter, 3)
    wait_for(lambda: any("does not answer" in n for n in notices(tmp_path)))
    service.up()
    evaluate(emitter)
    end(emitter)
    emitter.close()
    told_once(service)
    said = notices(tmp_path)
    assert len(said) == 2
    assert said[1].endswith("answers again.")


@pytest.mark.parametrize("death", ["die before", "die after"])
@pytest.mark.parametrize("at", range(11))
def test_a_service_that_dies_in_an_answer_hears_each_thing_once(tmp_path, service, death, at):
    service.plan = ["ok"] * at + [death]
    emitter = Emitter(tmp_path, "T", [Http(service.url)])
    whole_run(emitter)
    emitter.close()
    told_once(service)
    assert [body["currentEpoch"] for body in service.taken("/progress")] == [0, 1, 2, 3]


@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_a_service_in_trouble_is_asked_again(tmp_path, service, status):
    service.plan = ["ok", status, status, "ok", status]
    emitter = Emitter(tmp_path, "T", [Http(service.url)])
    whole_run(emitter)
    emitter.close()
    told_once(service)


def test_a_service_that_cannot_be_read_gets_the_idempotency_key_again(tmp_path, service):
    service.reads_refused = True
    service.plan = ["die after"]
    emitter = Emitter(tmp_path, "T", [Http(service.url)])
    evaluate(emitter)
    emitter.close()
    keys = [h["Idempotency-Key"] for h in service.headers if "Idempotency-Key" in h]
    assert keys == ["T-1-1", "T-1-1"]


def test_a_refusal_is_said_once_and_the_rest_goes_on(tmp_path, service):
    service.plan = ["ok", 409, "ok", 409, "ok", 422]
    emitter = Emitter(tmp_path, "T", [Http(service.url)])
    whole_run(emitter)
    emitter.close()
    said = notices(tmp_path)
    assert len(said) == 2
    assert "refused history with 409: says 409. The training goes on" in said[0]
    assert "422" in said[1]
    assert len(service.taken("/complete")) == 1


def test_an_envelope_that_says_no_under_http_200_is_a_refusal(tmp_path, service):
    service.envelope_code = 404
    emitter = Emitter(tmp_path, "T", [Http(service.url)])
    start(emitter)
    emitter.close()
    assert "refused progress with 404" in notices(tmp_path)[0]


def test_a_token_goes_into_the_header_and_nowhere_else(tmp_path, service, monkeypatch, caplog):
    caplog.set_level("DEBUG")
    monkeypatch.setenv("TANDEM_RUN_TOKEN", "s3cret-t0ken\n")
    service.plan = [409, 500]
    emitter = Emitter(tmp_path, "T", [Http(service.url)])
    whole_run(emitter)
    emitter.close()
    assert {h["Authorization"] for h in service.headers} == {"Bearer s3cret-t0ken"}
    for file in tmp_path.iterdir():
        assert "s3cret" not in file.read_text()
    assert "s3cret" not in caplog.text


def test_a_redirect_to_another_host_is_not_followed(tmp_path, service):
    other = Recorder().up()
    service.redirect_to = other.url  # another port is another service
    emitter = Emitter(tmp_path, "T", [Http(service.url)])
    start(emitter)
    emitter.close()
    other.down()
    assert other.asked == []
    assert "redirects to another host" in notices(tmp_path)[0]


def test_figures_that_do_not_fit_are_left_out_and_the_epoch_arrives(tmp_path, service):
    emitter = Emitter(tmp_path, "T", [Http(service.url)])
    start(emitter)
    epoch(emitter, 1, train_loss=math.inf, val_loss=math.nan, gpu_usage_percent=1000.0)
    epoch(emitter, 2, train_loss=9999.9999999, terms={"cross_entropy": 9999.999})
    emitter.close()
    first, second = service.taken("/history")
    assert not {"trainLoss", "valLoss", "gpuUsage"} & first.keys()
    assert "trainLoss" not in second
    assert second["hardLoss"] == 9999.999
    said = "\n".join(notices(tmp_path))
    for name in ("trainLoss is inf", "valLoss is nan", "gpuUsage is 1000.0", "trainLoss is 9999.9"):
        assert name in said
    assert len(notices(tmp_path)) == 4


def test_details_that_a_text_column_cannot_hold_are_named_instead(tmp_path, service):
    big = {"per_class": [{"class": "a", "f1": 0.5}], "confusion_matrix": [[0] * 300] * 300}
    emitter = Emitter(tmp_path, "T", [Http(service.url)])
    evaluate(emitter, details=big)
    emitter.close()
    text = service.taken("/evaluations")[0]["detailedResults"]
    assert len(text.encode()) < 65_535
    assert json.loads(text)["leftOut"] == ["confusion_matrix"]
    assert json.loads(text)["per_class"] == [{"class": "a", "f1": 0.5}]


def test_only_the_students_last_evaluation_is_reported(tmp_path, service):
    emitter = Emitter(tmp_path, "T", [Http(service.url)])
    evaluate(emitter, who="teacher")
    evaluate(emitter, epoch=1)
    evaluate(emitter, 0.95)
    emitter.close()
    found = [json.loads(row["detailedResults"]) for row in service.taken("/evaluations")]
    assert [one["metrics"]["accuracy"] for one in found] == [0.95]


def test_a_failure_and_a_stop_are_told(tmp_path, service):
    emitter = Emitter(tmp_path, "T", [Http(service.url)])
    emitter.emit("stopped", epoch=2, step=5, checkpoint=None)
    emitter.emit("failed", failure_class="data", message="坏" * 5000)
    emitter.close()
    assert service.taken("/progress") == [{"currentEpoch": 2, "status": "STOPPED"}]
    message = service.taken("/error")[0]["errorMessage"]
    assert message.startswith("坏坏")
    assert message.endswith("…")


def test_closing_waits_no_longer_than_the_grace_and_what_stays_is_sent_later(tmp_path, service):
    service.down()
    emitter = Emitter(tmp_path, "T", [Http(service.url, grace_seconds=0.3)])
    whole_run(emitter)
    began = time.monotonic()
    emitter.close()
    assert time.monotonic() - began < 2
    assert f"`tandem report {tmp_path} --send`" in notices(tmp_path)[-1]
    away = deliver(tmp_path, service.url, wait_seconds=0)
    assert (away.sent, away.left) == (0, 7)
    service.up()
    done = deliver(tmp_path, service.url)
    assert (done.sent, done.left) == (10, 0)
    told_once(service)
    assert deliver(tmp_path, service.url).sent == 0


def test_a_slow_service_does_not_slow_the_training(tmp_path, service, monkeypatch):
    monkeypatch.setattr(Recorder, "_answer", lambda *_, **__: time.sleep(5))
    emitter = Emitter(tmp_path, "T", [Http(service.url, grace_seconds=0.1)])
    began = time.monotonic()
    whole_run(emitter)
    assert time.monotonic() - began < 1
    emitter.close()
    assert time.monotonic() - began < 2


def test_a_resumed_run_repeats_its_epochs_but_not_its_evaluation(tmp_path, service):
    first = Emitter(tmp_path, "T", [Http(service.url)])
    start(first)
    epoch(first, 1)
    epoch(first, 2)
    evaluate(first)
    first.close()
    second = Emitter(tmp_path, "T", [Http(service.url)])
    start(second, resumed=1)
    epoch(second, 2)
    epoch(second, 3)
    evaluate(second)
    end(second)
    second.close()
    told_once(service, epochs=(1, 2, 2, 3))
    assert service.taken("/progress")[3] == {
        "currentEpoch": 1,
        "totalEpochs": 3,
        "status": "RUNNING",
    }


TRAINER = """
import os, pathlib, sys, time
sys.path.insert(0, sys.argv[3])
from tests.train.sinks.test_http import epoch, evaluate, end, start
from tandem.train.sinks import http
from tandem.train.sinks.emitter import Emitter

http.BACKOFF_SECONDS = (0.05, 0.1)


def train(first):
    emitter = Emitter(pathlib.Path(sys.argv[1]), "T", [http.Http(sys.argv[2])])
    start(emitter, first - 1 or None)
    for number in range(first, 4):
        epoch(emitter, number)
        if number == first and first < 3:
            print(os.getpid(), flush=True)
            time.sleep(60)
    evaluate(emitter)
    end(emitter)
    emitter.close()


for attempt in (1, 2, 3):  # torch is imported once; each attempt is a process of its own
    if (child := os.fork()) == 0:
        train(attempt)
        os._exit(0)
    os.waitpid(child, 0)
"""


def test_a_trainer_killed_in_the_middle_tells_the_rest_when_it_is_back(tmp_path, service):
    root = Path(__file__).parents[3]
    service.plan = ["ok"] * 3 + ["die after"] * 2
    command = [sys.executable, "-c", TRAINER, tmp_path, service.url, root]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, env=os.environ | {"OMP_NUM_THREADS": "1"}
    ) as trainer:
        for _ in range(2):
            os.kill(int(trainer.stdout.readline()), signal.SIGKILL)
        assert trainer.wait(60) == 0
    told_once(service)


def test_a_crash_between_answer_and_acknowledgement_repeats_nothing(tmp_path, service):
    emitter = Emitter(tmp_path, "T", [Http(service.url)])
    evaluate(emitter)
    emitter.close()
    # As it would be had the process died right after the service took the evaluation.
    DeliveryCursor(seq=0, in_flight=True).write(tmp_path)
    assert deliver(tmp_path, service.url).left == 0
    assert len(service.taken("/evaluations")) == 1


def test_sending_needs_a_run(tmp_path, service):
    with pytest.raises(OutputFolderError, match=r"There is no run in .*events\.jsonl"):
        deliver(tmp_path, service.url)


@pytest.mark.parametrize(
    "address", ["", "localhost:8080", "ftp://a/b", "http://", "http://a:b@c", "http://a/?x=1"]
)
def test_an_address_that_is_none_is_an_error_that_shows_no_password(address):
    with pytest.raises(SpecError, match="address of the service") as caught:
        ServiceClient(address)
    assert "a:b" not in str(caught.value)


def wait_for(true, seconds=5.0):
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until
        time.sleep(0.01)
