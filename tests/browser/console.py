"""One page of the console in a real browser, and what a careful visitor would notice about it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Page, Request

ROOT = Path(__file__).parents[2]
AXE = ROOT / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
# A console that was built elsewhere: TANDEM_WEB_ROOT=/tmp/web pytest tests/browser
WEB = Path(os.environ.get("TANDEM_WEB_ROOT") or ROOT / "tandem" / "web")
SHOTS = ROOT / "build" / "screenshots"
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
# Away from what the closed network of a test machine would refuse, many times a second.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
MOST_MS = 60_000
LONG_MS = 240_000
"""Of what waits for a training."""
# A picture below the window is loaded when it is scrolled to: a page's picture shows it as well.
ALL_IMAGES = """async () => {
  const all = [...document.images]
  for (const one of all) one.loading = 'eager'
  await Promise.all(all.map((one) => one.decode().catch(() => null)))
}"""

# A text that is missing is shown as its key; a knob's name looks like one, and stands in code.
KEYS_SHOWN = """(namespaces) => {
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  const found = []
  while (walk.nextNode()) {
    const text = walk.currentNode.textContent.trim()
    const isKey = /^\\w+(\\.[\\w-]+)+$/.test(text) && namespaces.includes(text.split('.')[0])
    if (isKey && !walk.currentNode.parentElement.closest('code, pre, .mono')) found.push(text)
  }
  return found
}"""


def chromium() -> str:
    """Debian's; `make browser` installs it."""
    found = os.environ.get("CHROMIUM") or shutil.which("chromium")
    assert found, "Chromium is missing: run `make browser`, or name it in CHROMIUM."
    assert (WEB / "index.html").is_file(), "The console is not built: run `make web`."
    return found


class Console:
    """Keeps every complaint: of scripts, of the policy, of requests that leave the machine."""

    def __init__(
        self,
        browser: Browser,
        base_url: str,
        *,
        language: str = "en",
        dark: bool = False,
        narrow: bool = False,
    ) -> None:
        self.context = browser.new_context(
            base_url=base_url,
            locale="zh-CN" if language == "zh" else "en-GB",
            timezone_id="UTC",
            color_scheme="dark" if dark else "light",
            viewport=NARROW if narrow else WIDE,
            reduced_motion="reduce",
            accept_downloads=True,
        )
        self.context.set_default_timeout(MOST_MS)
        self.base_url = base_url
        self.name = "-".join([language, "dark" if dark else "light", "390" if narrow else "1440"])
        self.complaints: list[str] = []
        self.expected: tuple[str, ...] = ()
        self.page: Page = self.context.new_page()
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        self.page.on("request", self._asked)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(f"console: {message.text}")

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((self.base_url, "data:", "blob:")):
            self.complaints.append(f"outside: {request.url}")

    def open(self, path: str) -> Page:
        """The page, once its title stands."""
        self.page.goto(path)
        self.page.locator("h1").first.wait_for()
        return self.page

    def shot(self, name: str) -> None:
        """A picture of the whole page, kept for whoever looks at CI's artefacts."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.page.evaluate(ALL_IMAGES)
        self.page.screenshot(path=SHOTS / f"{name}-{self.name}.png", full_page=True)

    def accessible(self) -> None:
        """axe finds nothing."""
        self.page.evaluate(AXE.read_text(encoding="utf-8"))
        found: Any = self.page.evaluate("async () => (await axe.run()).violations")
        said = [
            {"rule": one["id"], "at": [node["html"][:200] for node in one["nodes"][:3]]}
            for one in found
        ]
        assert not said, f"{self.page.url} {self.name}\n" + json.dumps(said, indent=1)

    def fits(self) -> None:
        """Nothing has to be moved sideways to be read."""
        over: int = self.page.evaluate(
            "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert over <= 0, f"{self.page.url} is {over} pixels too wide ({self.name})"

    def is_worded(self) -> None:
        """Each text is there in this language: no message's key is shown in its place."""
        texts = ROOT / "frontend" / "src"
        shared = {file.stem for file in texts.glob("i18n/en/*.json")}
        pages = {file.parent.name for file in texts.glob("pages/*/en.json")}
        said: list[str] = self.page.evaluate(KEYS_SHOWN, sorted(shared | pages))
        assert not said, f"{self.page.url} {self.name}: {said}"

    def close(self) -> None:
        """What was noticed is said now."""
        self.context.close()
        said = [one for one in self.complaints if not any(part in one for part in self.expected)]
        assert not said, "\n".join(said)
