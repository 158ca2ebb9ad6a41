"""Takes the README's pictures from a running service: `python take.py URL TASK TASK TASK`.

The tasks are distillations such as `tandem demo` makes; the first one's curves are shown.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

HERE = Path(__file__).parent
COLOURS = 128
WORDS = {
    "en": {"next": "Next", "name": "Name", "epochs": "Epochs"},
    "zh": {"next": "下一步", "name": "名称", "epochs": "训练轮数"},
}


def main(url: str, *tasks: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        for language, words in WORDS.items():
            context = browser.new_context(
                base_url=url,
                locale="zh-CN" if language == "zh" else "en-GB",
                viewport={"width": 1280, "height": 860},
                reduced_motion="reduce",
            )
            page = context.new_page()
            page.goto(f"/tasks/{tasks[0]}/curves")
            page.locator("canvas").first.wait_for()
            shoot(page, f"task-{language}")
            page.goto(f"/compare?tasks={','.join(tasks)}")
            page.locator("table").first.wait_for()
            shoot(page, f"compare-{language}")
            page.goto(f"/tasks/new?clone={tasks[0]}")
            page.get_by_role("button", name=words["next"]).click()
            page.get_by_role("button", name=words["next"]).click()
            page.get_by_label(words["epochs"], exact=True).fill("12")
            page.get_by_label(words["epochs"], exact=True).blur()
            shoot(page, f"new-task-{language}")
            context.close()
        browser.close()


def shoot(page: Page, name: str) -> None:
    page.wait_for_timeout(4000)  # curves and checks have come
    page.evaluate("() => scrollTo(0, 0)")
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    small = picture.quantize(COLOURS, dither=Image.Dither.NONE)
    small.save(HERE / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
