"""The list of tasks: found, sorted, paged, chosen by keyboard, deleted; empty, and failed."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Visit
from tests.browser.console import LONG_MS
from tests.browser.house import House

MANY = 23
PAGE = 20


@pytest.fixture(scope="session")
def many(house: House) -> list[str]:
    """So many tasks that they do not fit on one page, named by number; none is started."""
    return [house.add_task(f"Plenty {n:02d}", epochs=1) for n in range(MANY)]


def names(page: Page) -> list[str]:
    return page.locator("tbody a").all_inner_texts()


def test_what_is_looked_for_stands_in_the_address_and_comes_back(visit: Visit, many: list[str]):
    console = visit()
    page = console.open("/tasks")
    page.get_by_role("textbox", name="Search names and ids").fill("Plenty")
    expect(page.get_by_text(f"{MANY} tasks")).to_be_visible()
    page.get_by_role("columnheader", name="Task").get_by_role("button").click()
    expect(page.locator("tbody a").first).to_have_text("Plenty 00")
    page.get_by_role("columnheader", name="Task").get_by_role("button").click()
    expect(page.locator("tbody a").first).to_have_text(f"Plenty {MANY - 1}")
    page.get_by_role("button", name="Page 2").click()
    expect(page.locator("tbody a")).to_have_count(MANY - PAGE)
    for part in ("keyword=Plenty", "sort=-task_name", "page=2"):
        assert part in page.url
    shown = names(page)
    page.reload()
    expect(page.locator("tbody a")).to_have_text(shown)
    page.get_by_role("link", name=shown[0]).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(shown[0])
    page.go_back()
    expect(page.locator("tbody a")).to_have_text(shown)
    expect(page.get_by_role("textbox", name="Search names and ids")).to_have_value("Plenty")


def test_states_filter_and_nothing_found_says_the_way_back(visit: Visit, house: House):
    console = visit()
    page = console.open("/tasks?keyword=Shapes")
    page.get_by_role("button", name="Failed", exact=True).click()
    expect(page.locator("tbody a")).to_have_text(["Shapes, one broken"])
    expect(page.get_by_role("row", name=re.compile("one broken"))).to_contain_text("Failed")
    assert "status=FAILED" in page.url
    page.get_by_role("textbox", name="Search names and ids").fill("no such thing")
    expect(page.get_by_text("No task is like that.")).to_be_visible()
    console.accessible()
    page.get_by_role("button", name="Show all tasks").click()
    expect(page.get_by_text("No task is like that.")).to_have_count(0)
    expect(page).to_have_url(re.compile("/tasks$"))


def test_tasks_are_chosen_by_keyboard_and_deleting_says_what_is_lost(visit: Visit, house: House):
    gone = [house.add_task(f"Doomed {n}", epochs=1) for n in range(3)]
    console = visit()
    page = console.open("/tasks?keyword=Doomed&sort=task_name")
    expect(page.locator("tbody a")).to_have_count(3)
    for key in ("j", "x", "j", "x"):
        page.keyboard.press(key)
    bar = page.get_by_role("region", name="2 chosen")
    expect(bar.get_by_role("button", name="Stop 0")).to_be_disabled()
    console.accessible()
    bar.get_by_role("button", name="Delete…").press("Enter")
    dialog = page.get_by_role("dialog", name="Delete 2 tasks?")
    said = dialog.get_by_role("listitem")
    expect(said).to_have_text([f"Doomed 0 {gone[0]}", f"Doomed 1 {gone[1]}"])
    expect(dialog).to_contain_text("Their curves, reports and history will be gone.")
    expect(dialog).to_contain_text("Also delete their folders on disk")
    console.accessible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert house.ask("GET", f"/api/v1/tasks/{gone[0]}").status_code == 200
    bar.get_by_role("button", name="Delete…").click()
    dialog.get_by_role("button", name="Delete", exact=True).click()
    expect(page.locator("tbody a")).to_have_text(["Doomed 2"])
    left = [house.ask("GET", f"/api/v1/tasks/{one}").status_code for one in gone]
    assert left == [404, 404, 200]


def test_several_that_wait_or_run_are_stopped_at_once(visit: Visit, house: House):
    many = [house.add_task(f"Halted {n}", epochs=500, start=True) for n in range(2)]
    console = visit()
    page = console.open("/tasks?keyword=Halted&sort=task_name")
    page.get_by_role("checkbox", name="Choose all on this page").check()
    page.get_by_role("button", name="Stop 2").click()
    for name in ("Halted 0", "Halted 1"):
        expect(page.get_by_role("row", name=re.compile(name))).to_contain_text(
            re.compile("Stopped"), timeout=LONG_MS
        )
    assert [house.v1_task(one)["status"] for one in many] == ["STOPPED", "STOPPED"]


def test_a_cell_of_the_matrix_opens_the_samples_that_it_counts(visit: Visit, house: House):
    console = visit()
    page = console.open(f"/tasks/{house.taught}/samples")
    matrix = page.get_by_role("region", name="Confusion matrix")
    cell = matrix.get_by_role("button").last
    said = re.match(r"\d+ of (\w+) answered as (\w+)", cell.get_attribute("aria-label") or "")
    assert said is not None
    truth, answer = said.groups()
    count = cell.inner_text()
    cell.click()
    expect(page.get_by_text(re.compile(f"^{count} samples?$"))).to_be_visible()
    expect(page).to_have_url(re.compile(f"truth={truth}&answer={answer}"))
    expect(page.get_by_role("combobox", name="True class").locator("option:checked")).to_have_text(
        truth
    )
    console.accessible()
    page.get_by_role("combobox", name="Answer").select_option("All")
    expect(page).to_have_url(re.compile(rf"truth={truth}(?!.*answer)"))


def test_a_refusal_is_said_and_asked_again(visit: Visit):
    console = visit()
    console.expected = ("500 (Internal Server Error)", "ERR_CONNECTION_REFUSED", "ERR_FAILED")
    page = console.page
    broken = {"title": "Broken", "status": 500, "detail": "The database is full: free some room."}

    def fails(route: Route) -> None:
        route.fulfill(status=500, content_type="application/problem+json", json=broken)

    listed = re.compile(r"/api/v1/tasks\?")
    page.route(listed, fails)
    console.open("/tasks")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("The database is full: free some room.")
    console.accessible()
    page.unroute(listed)
    page.route(listed, lambda route: route.abort())
    alert.get_by_role("button", name="Try again").click()
    expect(alert).to_contain_text("The service does not answer.")
    page.unroute(listed)
    alert.get_by_role("button", name="Try again").click()
    expect(page.locator("tbody a").first).to_be_visible()
    expect(alert).to_have_count(0)
