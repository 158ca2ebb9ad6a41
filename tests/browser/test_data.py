"""Data sets in the console: sent with faults that are read by file, gone on with after a reload,
divided, deleted."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.conftest import Visit
from tests.browser.console import Console
from tests.browser.house import House
from tests.conftest import make_shapes

LARGE_PX = 1200
UNLABELLED = 6


def zipped(folder: Path) -> Path:
    """The folder as a ZIP beside it."""
    archive = folder.with_suffix(".zip")
    with zipfile.ZipFile(archive, "w") as zip_file:
        for file in sorted(folder.rglob("*.png")):
            zip_file.write(file, file.relative_to(folder.parent))
    return archive


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    """One picture that is none, and one that is in both splits."""
    folder = make_shapes(tmp_path / "with-faults", train=3, val=2, seed=7)
    (folder / "train" / "circle" / "0.png").write_bytes(b"no picture")
    (folder / "val" / "circle" / "0.png").write_bytes(
        (folder / "train" / "circle" / "1.png").read_bytes()
    )
    return zipped(folder)


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """More than is sent in one piece."""
    folder = make_shapes(tmp_path / "large", train=2, val=1, seed=8)
    noise = np.random.default_rng(3).integers(0, 255, (LARGE_PX, LARGE_PX, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "train" / "circle" / "large.png")
    return zipped(folder)


def send(console: Console, archive: Path, name: str) -> Locator:
    """Chooses the ZIP, names it; the row of the upload."""
    page = console.page
    page.locator("input[type=file]").set_input_files(archive)
    dialog = page.get_by_role("dialog", name="Upload a data set")
    expect(dialog.get_by_label("Name of the data set")).to_have_value(archive.stem)
    dialog.get_by_label("Name of the data set").fill(name)
    console.accessible()
    dialog.get_by_role("button", name="Upload").click()
    return row(page, name)


def row(page: Page, name: str) -> Locator:
    return page.get_by_role("list", name="Uploads").get_by_role("listitem").filter(has_text=name)


def test_the_faults_of_a_sent_dataset_are_read_by_file(visit: Visit, faulty: Path):
    console = visit()
    page = console.open("/datasets")
    sent = send(console, faulty, "sent-faulty")
    expect(sent).to_contain_text("Uploaded; it is being checked.")
    sent.get_by_role("link", name="Open the data set").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("sent-faulty")
    expect(page.get_by_text("Has faults")).to_be_visible()
    page.get_by_role("tab", name="Faults").click()
    table = page.get_by_role("region", name="Faults")
    broken = table.get_by_role("row").filter(
        has=page.get_by_role("cell", name="train/circle/0.png")
    )
    expect(broken).to_contain_text("Fault")
    expect(broken).to_contain_text("it is no picture, whatever its name says")
    expect(broken.get_by_text("train/circle/0.png")).to_have_count(1)
    twice = table.get_by_role("row").filter(has=page.get_by_role("cell", name="val/circle/0.png"))
    expect(twice).to_contain_text("train/circle/1.png")
    console.accessible()
    console.shot("data-set-faults")
    page.get_by_role("textbox", name="Search files and sentences").fill("val/")
    expect(broken).to_have_count(0)
    expect(twice).to_be_visible()
    page.get_by_role("tab", name="Samples").click()
    expect(page.get_by_role("img", name=re.compile("square")).first).to_be_visible()


def test_an_upload_goes_on_after_a_reload(visit: Visit, house: House, large: Path):
    console = visit()
    console.expected = ("ERR_FAILED",)
    page = console.open("/datasets")
    offsets: list[int] = []

    def only_the_first(route: Route) -> None:
        if route.request.method != "PUT":
            return route.continue_()
        offsets.append(int(route.request.headers["upload-offset"]))
        return route.continue_() if len(offsets) == 1 else route.abort()

    page.route("**/uploads/**", only_the_first)
    sent = send(console, large, "sent-large")
    expect(sent).to_contain_text("The service does not answer. The upload goes on by itself.")
    expect(sent.get_by_role("progressbar", name="Upload of sent-large")).to_be_visible()
    console.accessible()
    page.reload()
    expect(sent).to_contain_text("Broken off. Choose large.zip again to go on where it stopped.")
    console.accessible()
    page.unroute("**/uploads/**")
    again: list[int] = []
    page.on(
        "request",
        lambda one: (
            again.append(int(one.headers["upload-offset"])) if one.method == "PUT" else None
        ),
    )
    page.locator("input[type=file]").set_input_files(large)
    expect(sent).to_contain_text("Uploaded; it is being checked.")
    assert again[0] == offsets[1] > 0
    stands = house.home / "datasets" / "sent-large"
    assert [one.name for one in stands.rglob("large.png")] == ["large.png"]


def test_a_dataset_is_divided_and_deleting_says_what_is_lost(visit: Visit, house: House):
    console = visit()
    page = console.open("/datasets/shapes")
    before = sorted(one for one in (house.home / "datasets" / "shapes").rglob("*.png"))
    page.get_by_role("button", name="Split…").click()
    dialog = page.get_by_role("dialog", name="Split shapes")
    dialog.get_by_label("Name of the new data set").fill("shapes-divided")
    dialog.get_by_label("For validation, percent").fill("50")
    console.accessible()
    dialog.get_by_role("button", name="Make the new data set").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("shapes-divided")
    expect(page.get_by_text("Ready", exact=True)).to_be_visible()
    counts = house.get("/api/v1/datasets/shapes-divided/samples")["splits"]
    assert counts == {"train": 7 * 3 + UNLABELLED, "val": 7 * 3}
    page.get_by_role("button", name="Delete", exact=True).click()
    asked = page.get_by_role("dialog", name="Delete shapes-divided?")
    made = house.home / "datasets" / "shapes-divided"
    expect(asked).to_contain_text(re.compile(r"\d+ samples will be lost"))
    expect(asked).to_contain_text(str(made))
    console.accessible()
    asked.get_by_role("button", name="Cancel").click()
    expect(asked).to_be_hidden()
    assert made.is_dir()
    page.get_by_role("button", name="Delete", exact=True).click()
    asked.get_by_role("button", name="Delete").click()
    expect(page).to_have_url(re.compile("/datasets$"))
    expect(page.get_by_role("link", name="shapes", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="shapes-divided")).to_have_count(0)
    assert not made.exists()
    assert before == sorted(one for one in (house.home / "datasets" / "shapes").rglob("*.png"))
