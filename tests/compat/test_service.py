"""The data base of 7fb42ae under a service of today, on all of its surfaces."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.compat import home as kept
from tests.compat import openapi
from tests.compat import seen as ask
from tests.compat.differences import VARIES, agree
from tests.compat.user import Service

ROOT = Path(__file__).parents[2]


def test_a_service_answers_on_the_old_data_base_as_the_old_one_did(home_of, seen):
    home = home_of("runs/TASK_", "models")
    with Service(home, idle=True) as service:
        now = {path: service.get(path) for path in seen["rest"]}
        # Which layouts are allowed is told by the registry now, no longer by a list of its own.
        was, unread = seen["rest"], "/api/v1/datasets/unread/samples"
        assert "is laid out like no data set that is known. Allowed: " in now[unread][1]["message"]
        was[unread][1]["message"] = VARIES
        # A folder that cannot be trained on says so, and why, where it is listed.
        listed = was["/api/v1/datasets"][1], was["/model-distillation/datasets"][1]["data"]
        for one in (*listed[0], *listed[1], was["/api/v1/datasets/unread"][1]):
            if "unread" in (one.get("id"), one.get("value")):
                one["description"] = VARIES
        agree(was, now)
        catalog = ask.outline(service.ask("GET", "/api/v1/catalog"))
        agree(_without_what_was_widened(seen["catalog"]), catalog)
        agree(seen["service"], ask.service_commands(service))


def _without_what_was_widened(catalog: dict) -> dict:
    """Two settings take more than a number now: `auto`, and nothing. `mse` compares the logits
    themselves, so that it has no temperature."""
    sections = catalog["run_schema"]["$defs"]
    for section, name in (("LossSpec", "temperature"), ("TeacherSpec", "image_size")):
        field = sections[section]["properties"][name]
        for word in ("type", "minimum", "maximum", "exclusiveMinimum"):
            field.pop(word, None)
    del catalog["losses"]["mse"]["options"]["properties"]["temperature"]
    return catalog


def test_a_service_goes_on_with_the_tasks_of_the_old_one(home_of, seen):
    """One was trained to its end while no service was there; one waits, and is started."""
    with Service(home_of("models"), idle=True) as service:
        agree(seen["goes on"], ask.goes_on(service))


def test_the_old_data_base_has_what_the_tests_above_ask_for(home_of):
    """A task of each state but two, an annotation job, a model from elsewhere, a preset."""
    home = home_of("none")
    with closing(sqlite3.connect(home / kept.DATABASE)) as connection:
        states = connection.execute("SELECT DISTINCT status FROM md_training_task").fetchall()
        counts = {
            table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("md_training_history", "md_model_evaluation", "md_lora_preset")
        }
        jobs = connection.execute("SELECT del_flag FROM md_training_task").fetchall()
    assert {one for (one,) in states} == {"COMPLETED", "FAILED", "PENDING", "QUEUED", "RUNNING"}
    assert all(counts.values())
    assert (2,) in jobs


def test_nothing_is_gone_from_the_description_of_the_service(seen):
    described = json.loads((ROOT / "docs" / "openapi.json").read_text(encoding="utf-8"))
    now = openapi.operations(described)
    gone = {one: sorted(set(said) - set(now.get(one, ()))) for one, said in seen["openapi"].items()}
    assert {one for one in gone if one not in now} == set()
    assert {one: lost for one, lost in gone.items() if lost} == {}
