"""What a job said, page by page and drawn: the jobs are real, run in this process."""

import io
import zipfile

import pytest
from PIL import Image

from tandem.predict.__main__ import execute
from tandem.server.db.tables import Job
from tandem.spec.annotation import parse
from tandem.train.engines.stop import StopRequest
from tests.predict.test_kinds import draw, save
from tests.train.export.models import CLASSES

V1 = "/api/v1/inference"


@pytest.fixture
def worked(service, sqlite):
    """`worked(input_dir="new")`: a job of these fields, done; `stop=True`: only its first batch."""
    client = service()

    def work(*, stop=False, at=None, **fields):
        if at is None:
            said = client.post(V1, json={"task_id": "TASK_1", "batch_size": 4} | fields)
            assert said.status_code == 201, said.text
            at = f"{V1}/{said.json()['inference_id']}"
        with sqlite.read() as session:
            spec = parse(session.get(Job, at.rpartition("/")[2]).spec)
        asked = StopRequest()
        if stop:
            asked.ask()
        assert execute(spec, asked) == (75 if stop else 0)
        return at

    return client, work


def shown(client, address, **params):
    answer = client.get(address, params=params)
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    return Image.open(io.BytesIO(answer.content))


def test_pages_grow_with_the_job_and_show_its_images(worked, home):
    client, work = worked
    broken = home / "datasets" / "new" / "a" / "0003.png"
    broken.write_bytes(b"no picture")
    at = work(input_dir="new", stop=True)
    half = client.get(f"{at}/results").json()
    assert (half["total"], [one["index"] for one in half["items"]]) == (3, [0, 2, 3])
    work(at=at)
    every = client.get(f"{at}/results").json()["items"]
    assert [one["index"] for one in every] == [0, 2, 3, 4, 5, 6, 7, 8]
    assert every[0]["name"] == "a/0001.png"
    assert (every[0]["width"], every[0]["height"]) == (41, 32)
    for one in every:
        assert one["answer"]["label"] in CLASSES
        assert one["answer"]["confidence"] == one["answer"]["top"][0]["confidence"]
    second = client.get(f"{at}/results", params={"page": 2, "page_size": 3}).json()
    assert (second["items"], second["total"]) == (every[3:6], 8)
    for label in {one["answer"]["label"] for one in every}:
        found = client.get(f"{at}/results", params={"label": label}).json()
        wanted = [one for one in every if one["answer"]["label"] == label]
        assert (found["items"], found["total"]) == (wanted, len(wanted))
    assert client.get(f"{at}/results", params={"label": "x"}).json()["total"] == 0
    assert shown(client, f"{at}/results/0/picture", size=20).size == (20, 16)
    tag = client.get(f"{at}/results/0/picture").headers["etag"]
    same = client.get(f"{at}/results/0/picture", headers={"If-None-Match": tag})
    assert same.status_code == 304
    for gone in ("1/picture", "99/picture", "0/mask"):  # it failed; no such item; no masks
        assert client.get(f"{at}/results/{gone}").status_code == 404
    (home / "datasets" / "new" / "a" / "0001.png").unlink()
    missing = client.get(f"{at}/results/0/picture")
    assert missing.status_code == 404
    assert "0001.png is no longer there" in missing.json()["detail"]


def test_an_image_that_has_become_a_link_out_is_not_shown(worked, home, tmp_path):
    client, work = worked
    at = work(input_dir="new")
    image = home / "datasets" / "new" / "a" / "0001.png"
    image.rename(tmp_path / "secret.png")
    image.symlink_to(tmp_path / "secret.png")
    assert client.get(f"{at}/results/0/picture").status_code == 403


def test_images_come_out_of_a_zip(worked, home):
    client, work = worked
    with zipfile.ZipFile(home / "datasets" / "new.zip", "w") as archive:
        archive.write(home / "datasets" / "new" / "b" / "0002.png", "x/0002.png")
        archive.writestr("__MACOSX/x/._0002.png", b"a Mac's")
    file = home / "datasets" / "new.zip"
    file.write_bytes(file.read_bytes().replace(b"x/0002.png", "第/002.png".encode("gbk")))
    at = work(input_dir="new.zip")
    (one,) = client.get(f"{at}/results").json()["items"]
    assert one["name"] == "第/002.png"
    assert shown(client, f"{at}/results/0/picture").size == (42, 32)


def test_masks_are_shown_in_colour_or_as_outlines(worked, home):
    client, work = worked
    names = ["background", "circle", "square"]
    folder = home / "runs" / "TASK_1" / "final_model"
    save(folder, "segmentation", names, type="resnet", size="resnet18", head="mask")
    draw(home / "datasets" / "drawn")
    at = work(input_dir="drawn", format="masks")
    items = client.get(f"{at}/results").json()["items"]
    assert [one["answer"]["has_mask"] for one in items] == [True] * 3
    mask = shown(client, f"{at}/results/0/mask")
    assert (mask.format, mask.size) == ("PNG", (90, 60))
    at = work(input_dir="drawn", format="labelme", output_dir="other")
    (first, *_) = client.get(f"{at}/results").json()["items"]
    assert first["answer"]["has_mask"] is False
    assert client.get(f"{at}/results/0/mask").status_code == 404
    for box in first["answer"]["boxes"]:
        left, top, width, height = box["box"]
        assert 0 <= left < left + width <= 90
        assert 0 <= top < top + height <= 60
        assert all(0 <= x <= 90 and 0 <= y <= 60 for ring in box["outlines"] for x, y in ring)
