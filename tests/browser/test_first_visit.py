"""A service that wants its token and has trained nothing yet, as one meets it first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.console import WEB, Console
from tests.server.faults.test_real_trainer import RealServer

TOKEN = "a-token-of-a-test"  # noqa: S105


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[RealServer]:
    home = tmp_path / "home"
    settings = {"TANDEM_ACCESS_TOKEN": TOKEN, "TANDEM_WEB_ROOT": str(WEB)}
    with RealServer(home, f"sqlite:///{home / 'tandem.db'}", **settings) as server:
        yield server


def test_the_token_opens_the_console_and_home_says_how_to_begin(
    browser: Browser, empty: RealServer
):
    console = Console(browser, empty.base_url)
    console.expected = ("status of 401",)
    page = console.open("/tasks")
    token = page.get_by_label("Token", exact=True)
    expect(page.get_by_text("This service wants its token.")).to_be_visible()
    console.accessible()
    console.shot("sign-in")
    token.fill("another")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    token.fill(TOKEN)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Tasks")
    assert page.evaluate("() => document.cookie") == ""
    nothing = page.get_by_text("Nothing was trained yet.").locator("..")
    expect(nothing.get_by_role("link", name="New task")).to_be_visible()
    console.accessible()
    page.get_by_role("link", name="Home", exact=True).click()
    expect(page.get_by_text("Nothing was trained here yet")).to_be_visible()
    expect(page.get_by_text("tandem demo", exact=True)).to_be_visible()
    console.accessible()
    console.shot("home-empty")
    page.get_by_role("link", name="create a task").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("New task")
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("New task")
    page.goto("/settings")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("This service wants its token.")).to_be_visible()
    console.close()
