"""What every executor must do, one suite for all: one that is added is tried here unasked."""

from __future__ import annotations

from pathlib import Path

import pytest

from tandem.executors import registry
from tandem.executors.base import Handle
from tandem.spec.errors import SpecError
from tests.executors.runs import SECRET, FakeStage, RealStage, digest, until

TOKEN = digest(SECRET)


@pytest.fixture(params=[*registry.names(), "fake"])
def stage(request: pytest.FixtureRequest, tmp_path: Path):
    is_fake = request.param == "fake"
    made = FakeStage(tmp_path) if is_fake else RealStage(tmp_path, registry.find(request.param))
    yield made
    made.close()


def ended(stage, handle: Handle, token: str = TOKEN):
    until(lambda: stage.executor.status(handle, token).state != "alive")
    return stage.executor.status(handle, token)


def test_a_launched_run_is_alive_and_its_handle_survives_json(stage):
    handle = Handle.model_validate_json(stage.launch().model_dump_json())
    assert stage.executor.status(handle, TOKEN).state == "alive"
    assert handle.executor == stage.executor.name


@pytest.mark.parametrize("code", [0, 1, 2, 75, -9])
def test_its_exit_code_is_known(stage, code: int):
    handle = stage.launch()
    stage.end(handle, code)
    assert ended(stage, handle).exit_code == code


def test_a_stop_asks_and_the_run_ends_by_itself(stage):
    handle = stage.launch(deaf=True)
    stage.executor.stop(handle, TOKEN)
    until(lambda: stage.was_asked(handle))
    assert stage.executor.status(handle, TOKEN).state == "alive"
    stage.end(handle, 75)
    assert ended(stage, handle).exit_code == 75


def test_a_run_that_does_not_hear_is_killed(stage):
    handle = stage.launch(deaf=True)
    stage.executor.stop(handle, TOKEN)
    stage.executor.kill(handle, TOKEN)
    assert ended(stage, handle).exit_code in (-9, None)


def test_with_another_token_it_is_gone_and_nothing_is_done_to_it(stage):
    handle = stage.launch(deaf=True)
    other = digest("other")
    assert stage.executor.status(handle, other).state == "gone"
    stage.executor.stop(handle, other)
    stage.executor.kill(handle, other)
    assert stage.executor.status(handle, TOKEN).state == "alive"
    assert not stage.was_asked(handle)


def test_an_unknown_handle_is_gone_and_may_be_stopped_and_killed(stage):
    stage.launch()
    unknown = Handle(
        executor=stage.executor.name, id="999999999", host=getattr(stage.executor, "host", "")
    )
    stage.executor.stop(unknown, digest("other"))
    stage.executor.kill(unknown, digest("other"))
    assert stage.executor.status(unknown, digest("other")).state == "gone"


def test_after_its_end_stop_and_kill_change_nothing(stage):
    handle = stage.launch()
    stage.end(handle, 2)
    assert ended(stage, handle).exit_code == 2
    stage.executor.stop(handle, TOKEN)
    stage.executor.kill(handle, TOKEN)
    assert stage.executor.status(handle, TOKEN).exit_code == 2


def test_a_launch_is_found_by_its_spec_file(stage):
    handle = stage.launch()
    assert stage.executor.find(stage.folder / "TASK_1-1.json", TOKEN) == handle


def test_what_was_not_found_does_not_start_later(stage):
    assert stage.executor.find(stage.folder / "TASK_1-1.json", TOKEN) is None
    (stage.folder / "ready").touch()
    handle = stage.launch()
    assert ended(stage, handle).state == "gone"


def test_one_that_is_not_there_is_refused_and_the_others_are_named():
    with pytest.raises(SpecError, match="local"):
        registry.find("base")
