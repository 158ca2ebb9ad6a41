"""One training by the console alone: put together, started, watched, saved, stopped, resumed; then
copied, and compared with another."""

from __future__ import annotations

import json
import re

from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Visit
from tests.browser.console import LONG_MS, Console
from tests.browser.curves import drawn, epochs_in, kept, until_drawn
from tests.browser.house import TEACHER, House

EPOCHS = 30
# What keeps a run small; a person would type it into the fields one by one.
SMALL = {
    "data": {"image_size": 32, "workers": 0},
    "teacher": {"image_size": 56},
    "optim": {"epochs": EPOCHS, "batch_size": 10, "learning_rate": 1e-3},
    "views": {"count": 1},
    "run": {"devices": "cpu", "checkpoint_interval": 1000},
    "report": {"tensorboard": False},
}


def knob(page: Page, path: str) -> Locator:
    return page.locator(f'[data-path="{path}"]')


def status(page: Page) -> Locator:
    return page.locator("header .tag, .head .tag").first


def fill_in(console: Console, house: House) -> Page:
    """The first two steps: data with a look at its pictures, teacher, student."""
    page = console.open("/tasks/new")
    page.get_by_role("radio", name=re.compile("^shapes ")).check()
    look = page.get_by_role("region", name="A look at shapes")
    expect(look.get_by_role("img")).to_have_count(8)
    expect(look.get_by_role("img").first).to_have_js_property("complete", True)
    assert look.get_by_role("img").first.evaluate("(img) => img.naturalWidth") > 0
    console.accessible()
    page.get_by_role("button", name="Next").click()
    path = page.get_by_role("textbox", name=re.compile("Or a folder with a checkpoint"))
    path.fill(str(house.home / "models" / TEACHER))
    page.get_by_role("radio", name=re.compile("^resnet18 ")).check()
    console.accessible()
    console.shot("new-task-models")
    page.get_by_role("button", name="Next").click()
    return page


def say_wrong_then_right(console: Console) -> None:
    """A value that the service refuses is said at its field; the mended one is taken."""
    page = console.page
    page.get_by_role("textbox", name="Name", exact=True).fill("Shapes, made here")
    epochs = knob(page, "optim.epochs")
    field = epochs.get_by_role("textbox", name="Epochs")
    field.fill("0")
    expect(epochs.get_by_role("alert")).to_contain_text("must be at least 1. Got: 0.")
    expect(field).to_have_attribute("aria-invalid", "true")
    check = page.get_by_role("complementary", name="Check before the start")
    expect(check).to_contain_text("optim.epochs")
    console.accessible()
    field.fill("many")
    expect(epochs.get_by_role("alert")).to_contain_text("This is no number.")
    field.fill("7")
    expect(epochs.get_by_role("alert")).to_have_count(0)
    expect(epochs).to_contain_text("Changed")
    expect(check).to_contain_text("Everything is there.")


def json_both_ways(page: Page) -> None:
    page.get_by_text("Raw JSON", exact=True).click()
    raw = page.get_by_role("textbox", name="Raw JSON")
    spec = json.loads(raw.input_value())
    assert spec["optim"] == {"epochs": 7}
    for section, values in SMALL.items():
        spec[section] = {**spec.get(section, {}), **values}
    raw.fill(json.dumps(spec, indent=1))
    field = knob(page, "optim.epochs").get_by_role("textbox", name="Epochs")
    expect(field).to_have_value(str(EPOCHS))
    raw.fill("{ nothing")
    expect(page.get_by_text("This is no JSON yet")).to_be_visible()
    raw.fill(json.dumps(spec))
    expect(page.get_by_text("This is no JSON yet")).to_have_count(0)


def the_command_is_copied(page: Page) -> None:
    check = page.get_by_role("complementary", name="Check before the start")
    code = check.locator("pre")
    expect(code).to_contain_text("tandem train --student_model_type resnet")
    expect(code).to_contain_text(f"--epochs {EPOCHS} ")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    check.get_by_role("button", name="Copy").click()
    expect(check.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("() => navigator.clipboard.readText()") == code.inner_text()
    check.get_by_role("button", name="YAML").click()
    expect(code).to_contain_text(f"epochs: {EPOCHS}")
    check.get_by_role("button", name="REST").click()
    expect(code).to_contain_text("POST /api/v1/tasks")


def test_a_task_is_made_watched_stopped_resumed_and_finished(visit: Visit, house: House):
    console = visit()
    page = fill_in(console, house)
    say_wrong_then_right(console)
    json_both_ways(page)
    the_command_is_copied(page)
    console.accessible()
    console.shot("new-task-how")
    page.get_by_role("button", name="Create and start").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Shapes, made here")
    task_id = page.url.rsplit("/", 1)[-1]
    page.get_by_role("link", name="Curves").click()
    seen = len(epochs_in(until_drawn(page, lambda points: len(epochs_in(points)) > 1)))
    until_drawn(page, lambda points: len(epochs_in(points)) > seen)
    console.shot("task-running")
    page.get_by_role("button", name="Save now").click()
    page.get_by_role("link", name="Events").click()
    expect(page.get_by_text(re.compile("Saved at epoch"))).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    stopped_at = house.v1_task(task_id)["current_epoch"]
    assert 0 < stopped_at < EPOCHS
    page.get_by_role("button", name="Resume").click()
    page.get_by_role("link", name="Curves").click()
    until_drawn(page, lambda points: len(epochs_in(points)) > stopped_at)
    expect(page.get_by_role("link", name="Use the model")).to_be_visible(timeout=LONG_MS)
    page.get_by_text("Epoch", exact=True).click()
    until_drawn(page, lambda points: epochs_in(points)[-1:] == [EPOCHS])
    assert epochs_in(drawn(page)) == list(range(1, EPOCHS + 1))
    there = kept(house, task_id)
    assert drawn(page) == {name: there[name] for name in drawn(page)}
    assert house.v1_task(task_id)["attempts"] == 2
    compare_with_another(console, house, task_id)


def compare_with_another(console: Console, house: House, task_id: str) -> None:
    page = console.open("/tasks?keyword=Shapes")
    page.get_by_role("checkbox", name="Choose Shapes, taught").check()
    page.get_by_role("checkbox", name="Choose Shapes, made here").check()
    page.get_by_role("button", name="Compare").click()
    differs = page.get_by_role("region", name="Settings that differ")
    expect(differs.get_by_role("row", name=re.compile("optim.epochs"))).to_contain_text(
        re.compile(rf"3\s*{EPOCHS}|{EPOCHS}\s*3")
    )
    expect(differs).not_to_contain_text("optim.batch_size")
    results = page.get_by_role("region", name="Results")
    accuracy = house.v1_task(task_id)["best_accuracy"]
    expect(results.get_by_role("row", name=re.compile("^Best accuracy"))).to_contain_text(
        f"{accuracy:.2f}"
    )
    expect(results).to_contain_text("★ best")
    both = until_drawn(page, lambda points: len(points) > 1)
    assert sorted({len(points) for points in both.values()})[-1] == EPOCHS
    console.shot("compare-two")


def test_a_copy_begins_with_the_same_knobs(visit: Visit, house: House):
    page = visit().open(f"/tasks/{house.taught}")
    page.get_by_role("button", name="Clone and edit").click()
    expect(page.get_by_text("Begun with the settings of “Shapes, taught”.")).to_be_visible()
    expect(page.get_by_role("radio", name=re.compile("^shapes "))).to_be_checked()
    page.get_by_role("button", name=re.compile("How")).click()
    epochs = knob(page, "optim.epochs")
    expect(epochs.get_by_role("textbox")).to_have_value("3")
    expect(epochs).to_contain_text("Changed")
    expect(knob(page, "optim.learning_rate").get_by_role("textbox")).to_have_value("0.001")
    epochs.get_by_role("textbox").fill("4")
    page.get_by_role("textbox", name="Name", exact=True).fill("Shapes, copied")
    page.get_by_role("button", name="Create", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Shapes, copied")
    expect(page.get_by_role("button", name="Start")).to_be_visible()
    spec = house.v1_task(page.url.rsplit("/", 1)[-1])["spec"]
    before = house.v1_task(house.taught)["spec"]
    assert spec["optim"] == {**before["optim"], "epochs": 4}
    assert spec["teacher"] == before["teacher"]
