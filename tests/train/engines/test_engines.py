"""A loop of somebody else's is found by the name that a student gives, and runs the same story."""

from dataclasses import replace

import pytest

from tandem.spec.errors import SpecError
from tandem.train.engines.accelerate.engine import AccelerateEngine
from tandem.train.engines.base import Engine
from tandem.train.engines.registry import find_engine
from tandem.train.registry import FOLDERS, entries, find, register
from tests.train.engines.runs import events, run_here


@pytest.fixture
def _own_entries(monkeypatch):
    """What a test registers is forgotten after it, and nothing that was found meanwhile."""
    for group in (*FOLDERS, "engines"):
        entries(group)
    monkeypatch.setattr(register, "entries", dict(register.entries))


def learns_in(student: str, engine: str) -> None:
    entry = find("students", student)
    register.entries["students", student] = replace(entry, engine=engine)


@pytest.mark.usefixtures("_own_entries")
def test_a_package_brings_a_loop_of_its_own(spec_of, tmp_path):
    called = []

    @register.engine("elsewhere")
    class Elsewhere(AccelerateEngine):
        def prepare_teacher(self, run, student):
            called.append("prepare_teacher")
            return super().prepare_teacher(run, student)

        def learn(self, run, student, teacher):
            called.append(("learn", teacher is not None))
            return super().learn(run, student, teacher)

        def clean_up(self, run):
            called.append("clean_up")

    learns_in("resnet", "elsewhere")
    spec = spec_of(optim__epochs=1, report__baseline=True)
    assert run_here(spec, tmp_path) == 0
    assert called == ["prepare_teacher", ("learn", True), ("learn", False), "clean_up"]
    assert events(spec)[-1]["type"] == "finished"


@pytest.mark.usefixtures("_own_entries")
def test_an_engine_that_is_not_there_is_named_before_anything_is_read(spec_of, tmp_path, capfd):
    learns_in("resnet", "nowhere")
    assert run_here(spec_of(), tmp_path) == 2
    sentence = capfd.readouterr().err
    assert "nowhere" in sentence
    assert "accelerate" in sentence
    with pytest.raises(SpecError):
        find_engine("resnet")


def test_what_ships_is_whole():
    for student in ("resnet", "bert", "yolov8"):
        assert isinstance(find_engine(student), Engine)
