"""How smoothly the curve of a run with 100,000 steps moves under the pointer.

`tandem serve` before a real headless Chromium whose own tracing tells what it drew and what it
left out, at the 60 frames a second of its screen. It is moved while zoomed in. Beside it, in the
same browser, a page on which one square is moved: what this machine can show at all just now.
"""

from __future__ import annotations

import json
import statistics
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, sync_playwright

from benchmarks.console_load import ARGUMENTS, CHROMIUM, house
from benchmarks.row import Row

STEPS, EPOCHS = 100_000, 100
PANS, SECONDS = 7, 2.0
LEAST_FRAMES = 59.0
"""A screen of 60 Hz shows 59.9 as often as 60."""
CATEGORIES = "devtools.timeline,disabled-by-default-devtools.timeline.frame,blink.user_timing"
EMPTY = (
    "data:text/html,<h1>square</h1><div style='position:fixed;width:9px;height:9px;background:red'>"
)
FOLLOWS = """() => document.addEventListener('mousemove', (event) => {
  document.querySelector('div').style.left = `${event.clientX}px`
})"""
# A pointer that moves at each frame, to and fro; the drag itself was begun by a real one.
DRAG = """([left, width, y, seconds]) => new Promise((done) => {
  performance.mark('pan-begins')
  const begins = performance.now()
  const move = (now) => {
    const gone = (now - begins) / 1000
    const there = Math.abs((gone + 0.5) % 2 - 1)
    const clientX = left + width * (0.2 + 0.6 * there)
    const at = { clientX, clientY: y, bubbles: true, shiftKey: true }
    document.dispatchEvent(new MouseEvent('mousemove', at))
    if (gone < seconds) return requestAnimationFrame(move)
    performance.mark('pan-ends')
    done()
  }
  requestAnimationFrame(move)
})"""
METRIC = (
    '{{"seq":{n},"at":"{at}","task_id":"{task}","attempt":1,"type":"metric","epoch":{e},'
    '"step":{n},"total_steps":{steps},"values":{{"loss":{loss:.4f},"loss/kl_div":{loss:.4f},'
    '"learning_rate":0.001}},"images_per_second":50.0}}\n'
)


def measure() -> list[Row]:
    with house(write_journal, crowded=False) as (url, task), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(120_000)
        page.goto(f"{url}/tasks/{task}/curves")
        chart = page.locator(".plot").first
        chart.locator("canvas").wait_for()
        square = browser.new_page(viewport={"width": 1440, "height": 900})
        square.goto(EMPTY)
        square.evaluate(FOLLOWS)
        pans, bare = [], []
        for _ in range(PANS):
            square.bring_to_front()
            bare.append(_dragged(square, 0, 1440, 450)["frames"])
            page.bring_to_front()
            pans.append(_pan(page, chart))
        shown = _points(page, chart)
        browser.close()
    frames = statistics.median(pan["frames"] for pan in pans)
    return [
        Row(
            f"a curve of {STEPS:,} points is moved: frames a second",
            f"{frames:.1f}",
            "60",
            frames >= LEAST_FRAMES,
            f"Chromium's tracing, median of {PANS} drags of {SECONDS:.0f} s; least "
            f"{min(pan['frames'] for pan in pans):.1f}; one square alone: "
            f"{statistics.median(bare):.1f}; a frame's script and painting: median "
            f"{statistics.median(pan['work'] for pan in pans):.1f} ms of the processor "
            f"of 16.7; the service gives "
            f"{shown:,} points of the stretch that is shown, and its peaks",
        )
    ]


def write_journal(path: Path, task: str) -> int:
    """A value at every step, with a peak now and then; the last number."""
    with path.open("w") as file:
        for n in range(1, STEPS + 1):
            at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(1_772_366_400 + n))
            loss = 2 / (1 + n / 5000) + n * 7919 % 1000 / 4000 + (n % 9973 == 0)
            epoch = 1 + (n - 1) * EPOCHS // STEPS
            file.write(METRIC.format(n=n, at=at, task=task, e=epoch, steps=STEPS, loss=loss))
    return STEPS


def _pan(page: Page, chart: Locator) -> dict[str, float]:
    """Zooms into the middle third, drags it aside and back, and says how it went."""
    box = chart.bounding_box()
    assert box is not None
    left, top, width = box["x"], box["y"] + box["height"] / 2, box["width"]
    chart.focus()
    page.keyboard.press("0")
    with page.expect_response(lambda answer: "/curves?" in answer.url):
        page.mouse.move(left + width * 0.4, top)
        page.mouse.down()
        page.mouse.move(left + width * 0.7, top, steps=4)
        page.mouse.up()
    page.wait_for_timeout(500)
    page.keyboard.down("Shift")
    page.mouse.move(left + width * 0.5, top)
    page.mouse.down()
    found = _dragged(page, left, width, top)
    page.mouse.up()
    page.keyboard.up("Shift")
    return found


def _dragged(page: Page, left: float, width: float, y: float) -> dict[str, float]:
    """Moves the pointer for a while, under the browser's own tracing."""
    session = page.context.new_cdp_session(page)
    events: list[dict[str, Any]] = []
    session.on("Tracing.dataCollected", lambda found: events.extend(found["value"]))
    session.on("Tracing.tracingComplete", lambda _: events.append({"name": "complete"}))
    session.send("Tracing.start", {"categories": CATEGORIES, "transferMode": "ReportEvents"})
    page.evaluate(DRAG, [left, width, y, SECONDS])
    session.send("Tracing.end")
    while events[-1:] != [{"name": "complete"}]:
        page.wait_for_timeout(50)
    session.detach()
    return _judged(events)


def _judged(events: list[dict[str, Any]]) -> dict[str, float]:
    marks = {one["name"]: one["ts"] for one in events if str(one["name"]).startswith("pan-")}
    begins, ends = marks["pan-begins"], marks["pan-ends"]
    inside = [one for one in events if begins <= one.get("ts", 0) <= ends]
    drawn = sorted(one["ts"] for one in inside if one["name"] == "DrawFrame")
    work = [
        one.get("tdur", one["dur"]) / 1000
        for one in inside
        if one["name"] in ("FireAnimationFrame", "Paint") and "dur" in one
    ]
    if len(drawn) < 2:
        raise RuntimeError(f"nothing was drawn: {json.dumps(sorted({e['name'] for e in inside}))}")
    frames = 1e6 * (len(drawn) - 1) / (drawn[-1] - drawn[0])
    return {"frames": frames, "work": sum(work) / len(drawn)}


def _points(page: Page, chart: Locator) -> int:
    """Points of the last answer for a stretch."""
    with page.expect_response(lambda answer: "/curves?" in answer.url) as answered:
        chart.focus()
        page.keyboard.press("+")
    return max(len(one["x"]) for one in answered.value.json()["series"])


if __name__ == "__main__":
    for row in measure():
        print(row)
