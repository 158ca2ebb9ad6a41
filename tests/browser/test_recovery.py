"""The server dies under an open page and comes back: the page says so, recovers by itself, and
its curves have every point once."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.curves import drawn, epochs_in, kept, until_drawn
from tests.browser.house import House
from tests.server.faults.small_server import trainer_pids, wait_for
from tests.server.faults.small_trainer import journal_epochs

LONG = 240.0
# Each status that the page's head has shown since.
WATCH = """() => {
  window.shown = []
  const look = () => {
    const now = document.querySelector('main .tag')?.textContent.trim()
    if (now && window.shown.at(-1) !== now) window.shown.push(now)
  }
  look()
  const all = { childList: true, subtree: true, characterData: true }
  new MutationObserver(look).observe(document.body, all)
}"""
# What a browser itself says of a server that has gone.
BREAKS = (
    "ERR_CONNECTION_REFUSED",
    "ERR_INCOMPLETE_CHUNKED",
    "ERR_CONNECTION_RESET",
    "ERR_EMPTY_RESPONSE",
    "ERR_FAILED",
)
EVENTS = "**/events*"


def test_a_server_that_died_is_missed_by_no_point(visit: Visit, house: House):
    task_id = house.add_task("Shapes, through a crash", epochs=400, start=True)
    console = visit()
    console.expected = BREAKS
    page = console.open(f"/tasks/{task_id}/curves")
    page.get_by_text("Epoch", exact=True).click()
    until_drawn(page, lambda points: len(epochs_in(points)) > 2, LONG)
    page.evaluate(WATCH)
    banner = page.get_by_text("The connection to the service is lost.")
    expect(banner).to_have_count(0)
    # No stream is let through until the server has taken in what the run said meanwhile: what the
    # page shows of it then is what it asked for by its last id, or it is missing.
    page.route(EVENTS, lambda route: route.abort())
    house.kill()
    [pid] = trainer_pids(house.home, task_id)
    expect(banner).to_be_visible()
    console.accessible()
    at_least = max(journal_epochs(house.run_dir(task_id))) + 3
    wait_for(lambda: max(journal_epochs(house.run_dir(task_id))) >= at_least, LONG)
    house.start()
    wait_for(lambda: (house.v1_task(task_id)["current_epoch"] or 0) >= at_least, LONG)
    page.unroute(EVENTS)
    expect(banner).to_have_count(0)
    until_drawn(page, lambda points: epochs_in(points)[-1] > at_least)
    assert trainer_pids(house.home, task_id) == [pid]
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    all_of_it = kept(house, task_id)
    until_drawn(page, lambda points: len(epochs_in(points)) >= len(epochs_in(all_of_it)))
    points = drawn(page)
    assert epochs_in(points) == [float(n) for n in range(1, len(epochs_in(points)) + 1)]
    assert {"step loss", "epoch train_loss", "epoch val_accuracy"} <= points.keys()
    assert points == {name: all_of_it[name] for name in points}
    assert page.evaluate("() => window.shown") == ["Running", "Stopping", "Stopped"]
