"""A model that was trained here, at work by the console: asked about a picture, written as ONNX,
put to work on a data set."""

from __future__ import annotations

import base64
import re
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.console import LONG_MS
from tests.browser.house import House

FILE = """([name, base64]) => {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))
  const carried = new DataTransfer()
  carried.items.add(new File([bytes], name, { type: 'image/png' }))
  return carried
}"""


def drop(page: Page, file: Path) -> None:
    """As with the mouse, from the desk onto the page."""
    content = base64.b64encode(file.read_bytes()).decode()
    carried = page.evaluate_handle(FILE, [file.name, content])
    page.locator(".drop").dispatch_event("drop", {"dataTransfer": carried})


def test_an_image_is_answered_with_the_milliseconds(visit: Visit, house: House, tmp_path: Path):
    console = visit()
    page = console.open("/models")
    page.get_by_role("link", name="Shapes, taught").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Shapes, taught")
    image = house.home / "datasets" / "shapes" / "val" / "circle" / "0.png"
    drop(page, image)
    said = page.get_by_text(re.compile(r"[\d.]+ ms for the model, [\d.,]+ ms in all"))
    expect(said).to_be_visible(timeout=LONG_MS)
    expect(said).to_contain_text("It had to be loaded first.")
    classes = house.get(f"/api/v1/models/{house.taught}")["classes"]
    drawn = page.get_by_role("img", name=re.compile(r"^0\.png"))
    expect(drawn).to_have_attribute("alt", re.compile("|".join(classes)))
    assert drawn.evaluate("(img) => img.naturalWidth") > 0
    console.accessible()
    console.shot("model-tried")
    wrong = tmp_path / "none.png"
    wrong.write_bytes(b"no picture")
    console.expected = ("status of 4",)
    page.locator("input[type=file]").set_input_files(wrong)
    expect(page.get_by_role("alert")).to_contain_text("picture")


def test_an_export_is_written_listed_and_downloaded(visit: Visit, house: House):
    console = visit()
    page = console.open(f"/models/{house.taught}")
    page.get_by_role("button", name="Write as onnx", exact=True).click()
    item = page.get_by_role("listitem").filter(has=page.get_by_text("onnx", exact=True))
    link = item.get_by_role("link", name="Download")
    expect(link).to_be_visible(timeout=LONG_MS)
    expect(item).to_contain_text(re.compile(r"\d+(\.\d+)? MB"))
    with page.expect_download() as wanted:
        link.click()
    size = wanted.value.path().stat().st_size
    [said] = house.get(f"/api/v1/models/{house.taught}/exports")["items"]
    assert (said["format"], said["status"], said["size_bytes"]) == ("onnx", "DONE", size)
    console.accessible()


def test_a_dataset_is_labelled_and_the_answers_are_seen(visit: Visit, house: House):
    console = visit()
    page = console.open(f"/models/{house.taught}")
    form = page.locator("form").filter(has=page.get_by_role("heading", name="Put it to work"))
    form.get_by_role("combobox", name=re.compile("^Data set")).select_option("shapes")
    form.get_by_role("checkbox", name=re.compile("^Put the labels beside")).uncheck()
    console.accessible()
    form.get_by_role("button", name="Begin to label").click()
    expect(page).to_have_url(re.compile("/annotations/"))
    expect(page.get_by_text("Finished", exact=True)).to_be_visible(timeout=LONG_MS)
    expect(page.get_by_text(re.compile(r"^48 of 48, 0 failed"))).to_be_visible()
    open_large = page.get_by_role("button", name=re.compile("Open large:"))
    expect(open_large).to_have_count(24)
    expect(page.get_by_text("48 samples")).to_be_visible()
    page.get_by_role("button", name="Page 2").click()
    expect(page).to_have_url(re.compile("page=2"))
    open_large.first.click()
    dialog = page.get_by_role("dialog")
    classes = "|".join(house.get(f"/api/v1/models/{house.taught}")["classes"])
    expect(dialog.get_by_role("img", name=re.compile(classes)).first).to_be_visible()
    console.accessible()
    page.keyboard.press("Escape")
    console.shot("annotation")
    page.get_by_role("link", name="Annotations").click()
    expect(page.get_by_role("row", name=re.compile("shapes")).first).to_contain_text("48 of 48")
