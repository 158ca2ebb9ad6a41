"""What the console's pages weigh on a cold cache, and how soon a long run's page stands.

`tandem serve` on 100,000 tasks, one of which has 1,000 epochs, before a real headless Chromium.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.row import Row
from benchmarks.service_lists import fill
from benchmarks.service_start import serving
from benchmarks.services import add_tasks, database_of

EPOCHS, STEPS_AN_EPOCH, TIMES = 1000, 20, 7
MOST_SCRIPT_BYTES, MOST_SECONDS = 350_000, 1.0
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
PAGES = ("/", "/tasks", "/tasks/new", "/tasks/{task}/curves", "/compare", "/datasets", "/models")
METRIC = (
    '{{"seq":{n},"at":"2026-03-01T{h:02d}:{m:02d}:{s:02d}Z","task_id":"{task}","attempt":1,'
    '"type":"metric","epoch":{e},"step":{n},"total_steps":20000,"values":{{"loss":{loss:.4f},'
    '"loss/kl_div":{loss:.4f},"learning_rate":0.001}},"images_per_second":50.0}}\n'
)
EPOCH = (
    '{{"seq":{n},"at":"2026-03-01T{h:02d}:{m:02d}:{s:02d}Z","task_id":"{task}","attempt":1,'
    '"type":"epoch","epoch":{e},"total_epochs":1000,"train_loss":{loss:.4f},'
    '"terms":{{"kl_div":{loss:.4f}}},"val_loss":{loss:.4f},"val_accuracy":0.5,'
    '"learning_rate":0.001,"seconds":1.0,"images_per_second":50.0}}\n'
)


def measure() -> list[Row]:
    with house() as (url, task), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        weights = {path: _scripts(browser, url + path.format(task=task)) for path in PAGES}
        waits = [_opened(browser, url, task) for _ in range(TIMES)]
        browser.close()
    heaviest = max(weights, key=lambda path: weights[path])
    wait = statistics.median(waits)
    said = ", ".join(f"{path} {weight / 1000:.0f}" for path, weight in weights.items())
    return [
        Row(
            "script of the console's heaviest first load, compressed, cold cache",
            f"{weights[heaviest] / 1000:.0f} KB ({heaviest})",
            f"≤ {MOST_SCRIPT_BYTES // 1000} KB",
            weights[heaviest] <= MOST_SCRIPT_BYTES,
            f"bytes on the wire, in KB: {said}",
        ),
        Row(
            f"curves of {EPOCHS:,} epochs drawn after the server's answer",
            f"{1000 * wait:.0f} ms",
            f"≤ {1000 * MOST_SECONDS:.0f} ms",
            wait <= MOST_SECONDS,
            f"from the last byte of /curves to the drawn canvas, median of {TIMES}; "
            f"most {1000 * max(waits):.0f} ms",
        ),
    ]


@contextmanager
def house(
    write: Callable[[Path, str], int] | None = None, *, crowded: bool = True
) -> Iterator[tuple[str, str]]:
    """The service's address, and the task whose journal `write` wrote: a thousand epochs, unless
    told otherwise. `crowded`: among 100,000 others."""
    with tempfile.TemporaryDirectory(prefix="tandem-console-") as name:
        folder = Path(name)
        with database_of("sqlite", folder) as database:
            if database is None:
                raise RuntimeError("there is no SQLite")
            if crowded:
                fill(database)
            (task,) = add_tasks(database, folder / "runs", 1, live=False, first=0xCAFE0000)
            last = (write or write_journal)(folder / "runs" / task / "events.jsonl", task)
            finish(database, task, last)
            address = database.url.render_as_string(hide_password=False)
            with serving(folder, address) as served:
                yield str(served[0].base_url).rstrip("/"), task


def write_journal(path: Path, task: str) -> int:
    """Every step and every epoch of it; the last number."""
    number = 0
    with path.open("w") as file:
        for epoch in range(1, EPOCHS + 1):
            for step in range(STEPS_AN_EPOCH + 1):
                number += 1
                seconds = number * 4
                line = METRIC if step < STEPS_AN_EPOCH else EPOCH
                file.write(
                    line.format(
                        n=number, task=task, e=epoch, loss=2 / (1 + epoch / 50) + number % 7 / 40,
                        h=seconds // 3600 % 24, m=seconds // 60 % 60, s=seconds % 60,
                    )
                )  # fmt: skip
    return number


def finish(database: Any, task: str, last: int) -> None:
    """As the dispatcher leaves a run that has ended."""
    from sqlalchemy import update

    from tandem.server.db.tables import Job, Task

    with database.write() as session:
        session.execute(update(Job).where(Job.task_id == task).values(last_seq=last))
        ended = {"status": "COMPLETED", "current_epoch": EPOCHS, "total_epochs": EPOCHS}
        session.execute(update(Task).where(Task.task_id == task).values(**ended, progress=100))


def _scripts(browser: Browser, url: str) -> int:
    """Bytes of script that came over the wire for one page, nothing being cached."""
    page = browser.new_page()
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    scripts: set[str] = set()
    weight: dict[str, int] = {}

    def answered(event: dict[str, Any]) -> None:
        if event["type"] == "Script":
            scripts.add(event["requestId"])

    def finished(event: dict[str, Any]) -> None:
        weight[event["requestId"]] = event["encodedDataLength"]

    session.on("Network.responseReceived", answered)
    session.on("Network.loadingFinished", finished)
    page.goto(url)
    page.locator("h1").first.wait_for()
    page.wait_for_timeout(1500)
    page.context.close()
    return sum(weight.get(one, 0) for one in scripts)


def _opened(browser: Browser, url: str, task: str) -> float:
    """Seconds from the curves' last byte to the first canvas that is drawn."""
    page: Page = browser.new_page()
    page.add_init_script(path=Path(__file__).with_name("console_drawn.js"))
    page.goto(f"{url}/tasks/{task}/curves")
    page.wait_for_function("() => typeof window.__drawnAt === 'number'")
    drawn = float(page.evaluate("() => window.__drawnAt"))
    answered = float(
        page.evaluate(
            "() => performance.getEntriesByType('resource')"
            ".filter((one) => one.name.includes('/curves')).at(0).responseEnd"
        )
    )
    page.context.close()
    return (drawn - answered) / 1000


if __name__ == "__main__":
    began = time.perf_counter()
    for row in measure():
        print(row)
    print(f"{time.perf_counter() - began:.0f} s")
