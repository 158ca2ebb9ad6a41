"""A real server with real data and a real training behind it, and a real browser before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.console import ARGUMENTS, MOST_MS, Console, chromium
from tests.browser.house import House


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory, small_teacher: Path) -> Iterator[House]:
    """Data sets, one run that has taught a student, one that failed, one that waits."""
    with House(tmp_path_factory.mktemp("house") / "home", small_teacher) as house:
        yield house


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=MOST_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        yield browser
        browser.close()


Visit = Callable[..., Console]


@pytest.fixture
def visit(browser: Browser, house: House) -> Iterator[Visit]:
    """`visit(language="zh", dark=True, narrow=True)`; each is closed and asked for complaints."""
    with ExitStack() as stack:

        def make(**how: object) -> Console:
            console = Console(browser, house.base_url, **how)  # type: ignore[arg-type]
            stack.callback(console.close)
            return console

        yield make
