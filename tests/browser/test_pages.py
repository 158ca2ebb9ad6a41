"""Every page in both languages, both themes, both widths: it fits, axe finds nothing, nothing is
asked of another machine, and the policy is kept. Pictures of all are kept."""

from __future__ import annotations

import re

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.console import ROOT
from tests.browser.house import House

# Of language, theme and width each pair of two occurs.
VARIANTS = [
    {"language": "en"},
    {"language": "en", "dark": True, "narrow": True},
    {"language": "zh", "narrow": True},
    {"language": "zh", "dark": True},
]
TABS = ("overview", "curves", "log", "configuration", "samples", "report", "files", "events")


def plain_pages() -> dict[str, str]:
    """The pages whose address needs nothing filled in, by their own definitions."""
    folder = ROOT / "frontend" / "src" / "pages"
    texts = [file.read_text(encoding="utf-8") for file in sorted(folder.glob("*/*.page.ts"))]
    found = [
        (re.search(r"\bname: '(.+)'", text), re.search(r"\bpath: '([^:]+)'", text))
        for text in texts
    ]
    return {name[1]: path[1] for name, path in found if name is not None and path is not None}


def pages(house: House) -> dict[str, str]:
    """Each page by the name its picture gets."""
    return {
        **plain_pages(),
        **{f"task-{tab}": f"/tasks/{house.taught}/{tab}" for tab in TABS},
        "task-failed": f"/tasks/{house.failed}",
        "compare": f"/compare?tasks={house.taught},{house.failed}",
        "dataset": "/datasets/shapes",
        "model": f"/models/{house.taught}",
        "not-found": "/no/such/page",
    }


@pytest.mark.parametrize("how", VARIANTS, ids=lambda how: "-".join(map(str, how.values())))
def test_each_page_is_whole(house: House, visit: Visit, how: dict):
    console = visit(**how)
    for name, path in pages(house).items():
        page = console.open(path)
        if name.startswith("task-"):
            page.locator(".tabs + *").wait_for()  # a tab's own script comes after the head
            expect(page.locator(".tabs .here")).to_be_in_viewport(ratio=1)
        expect(
            page.get_by_role("status").filter(has_text=re.compile("Loading|加载中"))
        ).to_have_count(0)
        console.shot(name)
        console.fits()
        console.is_worded()
        console.accessible()


def test_the_language_and_the_theme_are_kept(visit: Visit):
    console = visit()
    page = console.open("/settings")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.get_by_role("button", name="中文").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("设置")
    page.get_by_role("button", name="深色主题").click()
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("设置")
    expect(page.locator("html")).to_have_class(re.compile("dark"))
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")


def test_what_the_service_says_changes_its_language_too(visit: Visit, house: House):
    page = visit().open("/presets")
    preset = page.get_by_role("article").filter(has_text="Rank").filter(has_text="Standard")
    expect(preset).to_contain_text("The usual choice for everyday fine-tuning")
    page.get_by_role("button", name="中文").click()
    expect(page.get_by_role("heading", name="标准配置")).to_be_visible()
    expect(page.get_by_text("日常微调的默认选择")).to_be_visible()


def test_question_mark_shows_the_keys_and_they_work(visit: Visit):
    page = visit().open("/")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("t")
    expect(page).to_have_url(re.compile(r"/tasks$"))


def test_the_whole_navigation_is_reached_by_tab(visit: Visit):
    page = visit().open("/")
    seen: list[str] = []
    for _ in range(25):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("() => document.activeElement.textContent.trim()"))
        shown = page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
        assert shown != "none", f"the focus on {seen[-1]!r} cannot be seen"
        if "New task" in seen:
            break
    for name in ("Skip to the page", "Home", "Tasks", "Data sets", "Models", "System", "New task"):
        assert name in seen, seen


def test_the_policy_forbids_inline_scripts(house: House):
    answer = httpx.get(house.base_url + "/tasks")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe-inline" not in policy.split("style-src-attr")[0]
    assert "<script>" not in answer.text
    assert re.search(r'<script type="module"[^>]* src="/assets/', answer.text)
