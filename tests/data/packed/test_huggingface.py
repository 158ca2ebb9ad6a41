"""Hugging Face's data sets on disk, written as `datasets` writes them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tandem.data.inspection.check import report
from tandem.data.reading.packed import arrow_rows
from tandem.data.writing import convert
from tandem.spec.errors import DataError
from tests.data import make
from tests.data.packed.test_torchvision_sets import content
from tests.data.packed.test_webdataset import jpeg


@pytest.fixture
def pa() -> Any:
    return pytest.importorskip("pyarrow", reason="the extra `parquet` is not installed")


FEATURES: dict[str, Any] = {
    "image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": ["cat", "dog"]},
}  # fmt: skip


def table(pa: Any, rows: list[dict[str, Any]], features: dict[str, Any] | None) -> Any:
    made = pa.Table.from_pylist(rows)
    if features is None:
        return made
    said = json.dumps({"info": {"features": features}})
    return made.replace_schema_metadata({"huggingface": said})


def images(*labels: Any) -> list[dict[str, Any]]:
    return [{"image": {"bytes": jpeg(n), "path": None}, "label": label}
            for n, label in enumerate(labels)]  # fmt: skip


def parquet(pa: Any, file: Path, rows: list[dict[str, Any]], features: Any = FEATURES) -> None:
    from pyarrow import parquet as pq

    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table(pa, rows, features), file, row_group_size=2)


def saved(pa: Any, folder: Path, rows: list[dict[str, Any]]) -> None:
    """As save_to_disk leaves it."""
    folder.mkdir(parents=True)
    made = table(pa, rows, FEATURES)
    file = folder / "data-00000-of-00001.arrow"
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_stream(sink, made.schema) as out:
        out.write_table(made)
    state = {"_data_files": [{"filename": "data-00000-of-00001.arrow"}], "_split": None}
    make.write(folder / "state.json", json.dumps(state))
    make.write(folder / "dataset_info.json", "{}")


def test_parquet_as_on_the_hub(pa: Any, tmp_path: Path) -> None:
    parquet(pa, tmp_path / "data/train-00000-of-00002.parquet", images(0, 1, 1))
    parquet(pa, tmp_path / "data/train-00001-of-00002.parquet", images(0))
    parquet(pa, tmp_path / "data/validation-00000-of-00001.parquet", images(1, 0))
    parquet(pa, tmp_path / "data/test-00000-of-00001.parquet", images(-1))
    found, faults = content(tmp_path)
    assert (found.format, found.kind, found.classes, faults) == (
        "huggingface", "classification", ("cat", "dog"), [])  # fmt: skip
    assert [one.label for one in found.train] == [0, 1, 1, 0]
    assert [one.label for one in found.val or []] == [1, 0]
    assert [one.label for one in found.test or []] == [-1]
    assert found.path(found.train[2]).read_bytes() == jpeg(2)
    assert report(tmp_path).ok
    said = convert.convert(tmp_path, tmp_path.with_name("out"), "classification")
    assert said.items == {"train": 4, "val": 2, "test": 1}


def test_saved_to_disk_with_splits_and_without(pa: Any, tmp_path: Path) -> None:
    saved(pa, tmp_path / "one", images(0, 1))
    assert [one.label for one in content(tmp_path / "one")[0].train] == [0, 1]
    for split in ("train", "validation", "unsupervised"):
        saved(pa, tmp_path / "all" / split, images(1, 0))
    make.write(tmp_path / "all/dataset_dict.json",
               '{"splits": ["train", "validation", "unsupervised"]}')  # fmt: skip
    found, faults = content(tmp_path / "all")
    assert not faults
    assert {name: len(items) for name, items in found.splits()} == {"train": 2, "val": 2}
    assert any("unsupervised" in one for one in found.notes)


def test_texts_and_labels_are_read_as_they_lie(pa: Any, tmp_path: Path) -> None:
    rows = [{"sentence": "fine", "sentence2": "so", "label": "pos", "idx": 1},
            {"sentence": "bad", "sentence2": None, "label": "neg", "idx": 2},
            {"sentence": " ", "sentence2": None, "label": "neg", "idx": 3}]  # fmt: skip
    parquet(pa, tmp_path / "train.parquet", rows, None)
    found, faults = content(tmp_path)
    assert (found.kind, found.classes) == ("text", ("neg", "pos"))
    assert [(one.text, one.text_b, one.label) for one in found.train] == [
        ("fine", "so", 1), ("bad", None, 0)]  # fmt: skip
    assert faults == ["train.parquet:3: the text is empty"]
    assert "The columns idx are not read." in found.notes


def test_images_with_captions(pa: Any, tmp_path: Path) -> None:
    rows = [{"image": {"bytes": jpeg(1), "path": "1.jpg"}, "text": "a cat"}]
    parquet(pa, tmp_path / "train.parquet", rows, None)
    found, _ = content(tmp_path)
    assert (found.kind, found.train[0].text) == ("caption", "a cat")


@pytest.mark.parametrize(("label", "match"), [(2, "no class 2"), (-7, "no class -7")])
def test_a_label_that_is_none_is_told_by_its_row(
    label: int, match: str, pa: Any, tmp_path: Path
) -> None:
    parquet(pa, tmp_path / "train.parquet", images(0, label, 1))
    _, faults = content(tmp_path)
    assert faults == [f"train.parquet:2: there is {match}"]


def test_what_is_no_image_is_told_by_its_row(pa: Any, tmp_path: Path) -> None:
    rows = [*images(0, 1), {"image": {"bytes": b"no", "path": None}, "label": 0},
            {"image": {"bytes": None, "path": "../../etc/passwd"}, "label": 0}]  # fmt: skip
    parquet(pa, tmp_path / "train.parquet", rows)
    found, faults = content(tmp_path)
    assert len(found.train) == 2
    assert [one.split(": ")[0] for one in faults] == ["train.parquet:3", "train.parquet:4"]


@pytest.mark.parametrize("data", [b"", b"PAR1garbagePAR1", b"x" * 100])
def test_a_file_that_is_no_parquet_is_a_fault(data: bytes, pa: Any, tmp_path: Path) -> None:
    make.write(tmp_path / "train.parquet", data)
    said = report(tmp_path)
    assert not said.ok
    assert "train.parquet" in said.faults[0].sentence()


def test_a_table_of_neither_is_refused(pa: Any, tmp_path: Path) -> None:
    parquet(pa, tmp_path / "train.parquet", [{"a": 1}], None)
    with pytest.raises(DataError, match="neither pictures nor texts"):
        content(tmp_path)


def test_without_the_extra_it_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    make.write(tmp_path / "train.parquet", b"PAR1")
    with pytest.raises(DataError, match="pyarrow") as caught:
        content(tmp_path)
    assert "pip install 'tandem-distill[parquet]'" in (caught.value.fix or "")
    with pytest.raises(DataError):
        arrow_rows.check_installed()
