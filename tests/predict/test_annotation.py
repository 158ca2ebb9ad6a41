"""Annotation jobs: a stop, a kill, a lost picture; labels that say where they come from."""

import json
import os
import signal
import time
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from tandem.data.faults import Faults
from tandem.data.registry import find
from tandem.predict.__main__ import execute, main
from tandem.predict.annotation.classes import map_classes
from tandem.predict.annotation.inputs import InputListing
from tandem.predict.annotation.runner import AnnotationRun
from tandem.spec.errors import DataError
from tandem.train.engines.stop import StopRequest
from tests.predict.annotations import (
    events,
    files,
    items,
    job,
    lines,
    start,
    write_images,
    write_job,
)
from tests.train.export.models import CLASSES


def run(spec, stop=None, listener=None):
    return execute(spec, stop or StopRequest(), listener)


def test_each_image_has_a_labelme_file_that_says_whose_it_is(tmp_path):
    write_images(tmp_path / "in", 6)
    spec = job(tmp_path)
    assert run(spec) == 0
    read = find("labelme").make().content(tmp_path / "out", Faults(), "classification")
    assert sorted(item.name for item in read.train) == sorted(
        f"{'a' if n % 2 else 'b'}/{n:04d}.png" for n in range(6)
    )
    assert read.classes == tuple(CLASSES)
    for item in read.train:
        assert 0 < item.confidence <= 1
        assert item.attributes["predicted"]["model"] == "pets"
        assert len(item.attributes["predicted"]["version"]) == 16
    assert [one["index"] for one in items(spec)] == list(range(6))
    said = events(spec)
    assert [one["type"] for one in said][0 :: len(said) - 1] == ["started", "finished"]
    assert said[-1]["metrics"] == {"processed": 6, "failed": 0}


def test_a_killed_job_goes_on_and_ends_as_an_unbroken_one(tmp_path):
    write_images(tmp_path / "in", 150)
    whole = job(tmp_path, run_dir=tmp_path / "whole", output=tmp_path / "out1", writer="csv")
    assert run(whole) == 0
    broken = job(tmp_path, run_dir=tmp_path / "broken", output=tmp_path / "out2", writer="csv")
    child = start(broken, tmp_path)
    journal = broken.run_dir / "items.jsonl"
    while child.poll() is None and not (journal.is_file() and journal.stat().st_size):
        time.sleep(0.002)
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()
    with journal.open("ab") as out:  # and its last line was cut
        out.write(b'{"index": 9')
    with (broken.run_dir / "results.jsonl").open("ab") as out:  # of a batch that was not told
        out.write(b'{"labels": [], "index": 149, "name": "x"}\n{"labels": [')
    done = journal.read_bytes().count(b"\n")
    assert 0 < done < 150
    assert run(broken) == 0
    assert items(broken) == items(whole)
    shown = lines(broken.run_dir / "results.jsonl")
    assert shown == lines(whole.run_dir / "results.jsonl")
    assert [one["index"] for one in shown] == list(range(150))
    assert all(one["labels"] == [one["answer"]["label"]] for one in shown)
    assert files(tmp_path / "out2") == files(tmp_path / "out1")


def test_a_stop_ends_with_75_after_the_batch_and_nothing_is_done_twice(tmp_path):
    write_images(tmp_path / "in", 20)
    spec = job(tmp_path)
    stop = StopRequest()
    stop.ask()
    assert run(spec, stop) == 75
    assert len(items(spec)) == 4
    first = tmp_path / "out" / "a" / "0001.json"
    before = first.stat().st_mtime_ns
    assert run(spec) == 0
    assert len(items(spec)) == 20
    assert first.stat().st_mtime_ns == before
    types = [one["type"] for one in events(spec)]
    assert types.count("started") == 2
    assert "stopped" in types
    assert types[-1] == "finished"


def test_sigterm_ends_a_job_so_that_it_goes_on(tmp_path, monkeypatch, capsys):
    write_images(tmp_path / "in", 20)
    spec = job(tmp_path)
    write = AnnotationRun._write

    def terminated(self, batch, items, *rest):
        write(self, batch, items, *rest)
        if items.done == 8:
            os.kill(os.getpid(), signal.SIGTERM)

    heard = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        with monkeypatch.context() as patch:
            patch.setattr(AnnotationRun, "_write", terminated)
            assert main([str(write_job(spec, tmp_path))]) == 75
    finally:
        for number, handler in heard.items():
            signal.signal(number, handler)
    assert len(items(spec)) == 8
    assert "Stopped after 8 items" in capsys.readouterr().err
    assert run(spec) == 0
    assert [one["index"] for one in items(spec)] == list(range(20))


def test_what_is_deleted_or_broken_in_mid_job_is_listed_and_the_rest_goes_on(tmp_path):
    write_images(tmp_path / "in", 40)
    (tmp_path / "in" / "a" / "0003.png").write_bytes(b"no picture")
    gone = tmp_path / "in" / "b" / "0038.png"
    spec = job(tmp_path)
    stop = StopRequest()
    stop.ask()
    assert run(spec, stop) == 75
    gone.unlink()
    assert run(spec) == 0
    failed = {one["name"]: one["problem"] for one in items(spec) if "problem" in one}
    assert set(failed) == {"a/0003.png", "b/0038.png"}
    assert "0003.png is no picture" in failed["a/0003.png"]
    assert "0038.png cannot be read" in failed["b/0038.png"]
    assert len(items(spec)) == 40
    assert len(list((tmp_path / "out").rglob("*.json"))) == 38 + 1  # and predictions.json


def test_a_zip_is_read_where_it_is(tmp_path):
    write_images(tmp_path / "in", 5)
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        for one in sorted((tmp_path / "in").rglob("*.png")):
            archive.write(one, one.relative_to(tmp_path / "in"))
    assert run(job(tmp_path, input=tmp_path / "in.zip", output=tmp_path / "zipped")) == 0
    assert run(job(tmp_path, run_dir=tmp_path / "run2", pictures=False)) == 0
    assert files(tmp_path / "zipped") == files(tmp_path / "out")


def test_a_zips_names_are_those_that_were_meant(tmp_path):
    """As an upload of the same ZIP has them: GBK unsaid, Windows' backslashes, what a Mac adds."""
    write_images(tmp_path / "in", 2)
    given = {"XX/A.png": "a/0001.png", "YY\\B.png": "b/0000.png"}
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        for name, file in given.items():
            archive.write(tmp_path / "in" / file, name)
        archive.writestr("YY/._B.png", b"a Mac's")
        archive.writestr("__MACOSX/XX/A.png", b"a Mac's")
    raw = (tmp_path / "in.zip").read_bytes().replace(b"XX/A", "第/A".encode("gbk"))
    (tmp_path / "in.zip").write_bytes(raw)
    spec = job(tmp_path, input=tmp_path / "in.zip")
    assert run(spec) == 0
    assert [one.get("problem") for one in items(spec)] == [None, None]
    labels = {"YY/B.json", "第/A.json"}
    assert set(files(tmp_path / "out")) == {*labels, "classes.txt", "predictions.json"}


def test_a_zip_that_climbs_out_is_refused_before_anything_is_written(tmp_path):
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr("../x.png", b"x")
    spec = job(tmp_path, input=tmp_path / "bad.zip")
    assert run(spec) == 2
    assert not list((tmp_path / "out").glob("*.png"))
    assert "outside of its own folder" in events(spec)[-1]["message"]


def test_two_images_that_differ_in_their_suffix_keep_a_label_each(tmp_path):
    (tmp_path / "in").mkdir()
    for suffix, colour in (("png", "red"), ("jpg", "blue")):
        Image.new("RGB", (20, 20), colour).save(tmp_path / "in" / f"x.{suffix}")
    assert run(job(tmp_path, pictures=False)) == 0
    assert {"x_png.json", "x_jpg.json"} <= set(files(tmp_path / "out"))


def test_a_persons_label_is_never_written_over(tmp_path):
    write_images(tmp_path / "in", 4)
    own = tmp_path / "in" / "a" / "0001.json"
    own.write_text(json.dumps({"shapes": [], "flags": {"猫": True}}))
    before = own.read_bytes()
    spec = job(tmp_path, output=tmp_path / "in")
    assert run(spec) == 0
    assert own.read_bytes() == before
    (failed,) = [one for one in items(spec) if "problem" in one]
    assert "a person's label" in failed["problem"]
    assert (tmp_path / "in" / "a" / "0003.json").is_file()


def test_auto_import_puts_predictions_beside_the_dataset(tmp_path):
    data = tmp_path / "pets"
    for name in reversed(CLASSES):
        write_images(data / "train" / name.replace("|", "_"), 2)
    write_images(tmp_path / "in", 3)
    before = find("classification").make().content(data, Faults())
    names = [one.replace("|", "_") for one in CLASSES]
    spec = job(tmp_path, dataset=data, auto_import=True)
    assert run(spec) == 2  # a class of the model has another name there: refused, not shifted
    assert names != CLASSES
    said = events(spec)[-1]["message"]
    assert "dog|" in said
    assert "which the data set has not" in said
    (data / "train" / names[1]).rename(data / "train" / CLASSES[1])
    assert run(spec) == 0
    kept = sorted(one.name for one in (data / ".predictions" / "pets").rglob("0*.json"))
    assert kept == ["0000.json", "0001.json", "0002.json"]
    after = find("classification").make().content(data, Faults())
    assert len(after.train) == len(before.train)


def test_classes_are_mapped_by_name():
    assert map_classes(["cat", "dog"], ["dog", "bird", "Cat "]) == {"cat": 2, "dog": 0}
    assert map_classes(["a"], []) == {"a": 0}
    with pytest.raises(DataError, match="classes fox, which"):
        map_classes(["cat", "fox"], ["cat", "dog"])
    with pytest.raises(DataError):
        map_classes(["cat", "CAT"], ["cat"])


def test_below_the_threshold_nothing_is_told(tmp_path):
    write_images(tmp_path / "in", 4)
    spec = job(tmp_path, threshold=1.0, pictures=False)
    assert run(spec) == 0
    assert set(files(tmp_path / "out")) == {"predictions.json", "classes.txt"}
    assert all("label" not in one and "problem" not in one for one in items(spec))
    assert run(job(tmp_path, run_dir=tmp_path / "r2", threshold={"fox": 0.5})) == 2


def test_masks_of_a_dataset_are_not_labelled_themselves(tmp_path: Path):
    for folder in ("images/val", "masks/val", "more/masks"):
        (tmp_path / "in" / folder).mkdir(parents=True)
        (tmp_path / "in" / folder / "a.png").write_bytes(b"picture")
    (tmp_path / "job").mkdir()
    found = InputListing(tmp_path / "in", tmp_path / "job", "segmentation")
    assert [one.name for one in found] == ["images/val/a.png", "more/masks/a.png"]
