"""Tables: a row that cannot be read for certain is a fault with its line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tandem.data.content import Content, Item, Shape
from tandem.data.faults import Faults
from tandem.data.inspection.check import report
from tandem.data.registry import find, read
from tandem.data.writing.convert import convert, write
from tandem.spec.errors import DataError
from tests.data import make


def told(path: Path) -> list[str]:
    return [one.sentence() for one in make.faults_of(report(path))]


def labels(path: Path) -> list[str | None]:
    content, _ = make.read(path)
    return [None if one.label < 0 else content.classes[one.label] for one in content.train]


def test_a_tsv_has_no_quoting(tmp_path: Path) -> None:
    make.write(tmp_path / "train.tsv", 'text\tlabel\n"open\tpos\nb "c" d\tneg\n"e"\tpos\n')
    content, faults = make.read(tmp_path)
    assert [one.text for one in content.train] == ['"open', 'b "c" d', '"e"']
    assert [one.line for one in content.train] == [2, 3, 4]
    [only] = faults
    assert only.startswith("train.tsv:4: 1 rows have cells in quotes")


def test_a_quote_that_never_closes_is_told_and_costs_its_row_only(tmp_path: Path) -> None:
    make.write(tmp_path / "train.csv", 'text,label\nx,pos\n"open,pos\nb,neg\n"c" d,neg\ne,pos\n')
    content, _ = make.read(tmp_path)
    assert [(one.text, one.line) for one in content.train] == [("x", 2), ("b", 4), ("e", 6)]
    first, second = told(tmp_path)
    assert first.startswith("train.csv:3: its quotes cannot be read")
    assert second.startswith("train.csv:5: its quotes cannot be read")


def test_a_cell_of_several_lines_is_one_and_told_where_they_look_like_rows(tmp_path: Path) -> None:
    make.write(tmp_path / "train.csv", 'text,label\n"a\nb",pos\n"c,pos\nd",neg\ne,pos\n')
    content, _ = make.read(tmp_path)
    assert [(one.text, one.line) for one in content.train] == [("a\nb", 2), ("c,pos\nd", 4),
                                                               ("e", 6)]  # fmt: skip
    assert told(tmp_path) == ["train.csv:4: one quoted cell goes over 2 lines, each of which looks "
                              "like a row"]  # fmt: skip


def test_rows_with_more_or_fewer_cells_are_faults(tmp_path: Path) -> None:
    make.write(tmp_path / "train.csv", "text,label\na,pos\nb, but c,neg\nd\ne,neg,,\n")
    assert labels(tmp_path) == ["pos", "neg"]
    assert told(tmp_path) == ["train.csv:3: it has 3 cells, the first line 2",
                              "train.csv:4: it has 1 cells, the first line 2"]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "separator", "said"),
    [("train.csv", ";", "a semicolon"), ("train.csv", "\t", "a tab"), ("train.csv", "|", "a bar"),
     ("train.tsv", ",", "a comma")],
)  # fmt: skip
def test_another_separator_is_found_and_told(
    name: str, separator: str, said: str, tmp_path: Path
) -> None:
    rows = (("id", "Text", " LABEL "), ("1", "a", "pos"), ("2", "b", "neg"))
    make.write(tmp_path / name, "\n".join(separator.join(row) for row in rows))
    assert labels(tmp_path) == ["pos", "neg"]
    assert report(tmp_path).notes == [f"{name}: what separates its cells is {said}.",
                                      f"{name}: these columns are not read: id."]  # fmt: skip


def test_a_table_without_a_first_line_is_one_fault(tmp_path: Path) -> None:
    make.write(tmp_path / "train.csv", "good,pos\nbad,neg\n")
    path = make.write(tmp_path / "val.csv", "text,text,label\nbad,bad,neg\n")
    faults = Faults()
    with pytest.raises(DataError):
        read(tmp_path, faults)
    assert [one.sentence() for one in faults.found] == [
        "train.csv:1: its first line names no column text, sentence or text_a",
        f"{path.name}:1: the column text is there twice",
    ]


@pytest.mark.parametrize(
    ("cells", "wanted", "sentence"),
    [
        (["pos", "", " neg "], ["pos", None, "neg"], None),
        (["0", "1", "10", "2"], ["0", "1", "10", "2"], None),
        (["0.0", "1.0", "1"], ["0", "1", "1"], "2 labels are whole numbers with a point"),
        (["-1", "-1"], [None, None], "every label is -1; the 2 rows are read as unlabelled"),
        (["-1", "0", "1"], [None, "0", "1"], ":2: whether the label -1 is a class"),
        (["a", "nan", "b"], ["a", None, "b"], ":3: whether the label nan is a class"),
        (["1", "0.37"], ["1", None], ":3: whether the label 0.37 is a class"),
        (["1", "1e400"], ["1", None], ":3: whether the label 1e400 is a class"),
        (["True", "False"], ["True", "False"], None),
        (["True", "0"], [None, "0"], ":2: the label True beside 0 and 1 is not certain"),
        (["none", "NA"], ["none", "NA"], None),
    ],
)
def test_labels(
    cells: list[str], wanted: list[str | None], sentence: str | None, tmp_path: Path
) -> None:
    rows = "".join(f"t{number},{cell}\n" for number, cell in enumerate(cells))
    make.write(tmp_path / "train.csv", f"text,label\n{rows}")
    assert labels(tmp_path) == wanted
    found = told(tmp_path)
    assert len(found) == (sentence is not None), found
    assert sentence is None or sentence in found[0]


@pytest.mark.parametrize(
    ("value", "wanted"),
    [("1", "1"), ("1.0", "1"), ("true", "True"), ("null", None), ("NaN", None), ("[1]", None),
     ('"x"', "x")],
)  # fmt: skip
def test_labels_of_json(value: str, wanted: str | None, tmp_path: Path) -> None:
    make.write(tmp_path / "train.jsonl", f'{{"text": "a", "label": {value}}}\n')
    assert labels(tmp_path) == [wanted]
    assert report(tmp_path).ok is (value not in ("NaN", "[1]"))


@pytest.mark.parametrize(
    ("encoding", "note"),
    [("utf-8-sig", None), ("gbk", "GBK"), ("utf-16", "UTF-16")],
)
def test_encodings_are_told(encoding: str, note: str | None, tmp_path: Path) -> None:
    make.write(tmp_path / "train.csv", "text,label\n很好,正面\n太差,负面\n".encode(encoding))
    assert labels(tmp_path) == ["正面", "负面"]
    assert report(tmp_path).notes == (
        [f"train.csv is not UTF-8; it was read as {note}."] if note else [])  # fmt: skip


def test_latin_1_is_never_taken_for_gbk(tmp_path: Path) -> None:
    rows = "text,label\nun été passé à Orléans,pos\n"
    make.write(tmp_path / "train.csv", rows.encode("latin-1"))
    [only] = told(tmp_path)
    assert "is neither UTF-8 nor GBK" in only


def test_splits_by_every_name_and_two_files_of_one_name(tmp_path: Path) -> None:
    for name in ("train.csv", "validation.csv", "dev.csv", "test.CSV"):
        make.write(tmp_path / "in" / name, f"text,label\n{name},a\n")
    content, faults = make.read(tmp_path / "in")
    assert not faults
    assert {split: len(items) for split, items in content.splits()} == {
        "train": 1, "val": 2, "test": 1}  # fmt: skip
    make.write(tmp_path / "in" / "train.tsv", "text\tlabel\nx\ta\n")
    assert "train.tsv: it is there beside train.csv, and only one of them can be meant" in told(
        tmp_path / "in"
    )
    said = convert(tmp_path / "in", tmp_path / "out", "text", leave_out=True)
    assert said.items == {"train": 1, "val": 2, "test": 1}
    assert make.read(tmp_path / "out")[0].test


def test_an_empty_line_of_boxes_is_background_or_nobody_has_looked(tmp_path: Path) -> None:
    names = ("a.png", "b.png", "c.png")
    for number, name in enumerate(names):
        make.draw(tmp_path / "one" / "images" / "train" / name, [], number)
    head = "LABEL;File;Left;top;right;bottom;annotated"
    make.write(tmp_path / "one" / "labels.csv",
               f"{head}\ncat;a.png;1;2;5;6;\n;b.png;;;;;0\n;c.png;;;;;1\n")  # fmt: skip
    content, faults = make.read(tmp_path / "one")
    assert not faults
    shapes = {one.name[-5:]: one.shapes and len(one.shapes) for one in content.train}
    assert shapes == {"a.png": 1, "b.png": None, "c.png": []}
    convert(tmp_path / "one", tmp_path / "two", "csv")
    back, _ = make.read(tmp_path / "two")
    assert [one.shapes is None for one in back.train] == [False, True, False]
    make.write(tmp_path / "one" / "labels.csv",
               "file,label,left,top,right,bottom\na.png,cat,1,2,5,6\nb.png,,,,,\n")  # fmt: skip
    content, _ = make.read(tmp_path / "one")
    assert [one.shapes and len(one.shapes) for one in content.train] == [1, []]
    assert "1 lines without a box are read as background" in content.notes[0]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("a.png,holdout,cat,,1,1,5,5,40,30", "the split holdout is none of train, val and test"),
        ("a.png,train,,,1,1,5,5,40,30", "a box needs a label"),
        ("a.png,train,cat,sure,1,1,5,5,40,30", "its confidence is no number"),
        ("c.jpg,valid,nan,,1,1,5,5,40,30", "whether the label nan is a class is not certain"),
    ],
)
def test_a_bad_line_of_labels_csv(line: str, sentence: str, tmp_path: Path) -> None:
    make.csv(tmp_path)
    with (tmp_path / "labels.csv").open("a") as out:
        out.write(line + "\n")
    [only] = told(tmp_path)
    assert only.startswith("labels.csv:7: ")
    assert sentence in only


def test_another_size_and_two_labels_of_one_image(tmp_path: Path) -> None:
    make.draw(tmp_path / "images" / "valid" / "a.png")
    make.write(tmp_path / "labels.csv", "file,split,label,width,height\na.png,val,cat,40,30\n"
               "a.png,val,dog,40,30\n")  # fmt: skip
    assert "labels.csv:3: the picture has another label already" in told(tmp_path)
    make.write(tmp_path / "labels.csv", "file,split,label,width,height\na.png,val,cat,30,40\n")
    assert any("has 30 x 40 pixels, the picture has 40 x 30" in one for one in told(tmp_path))


def test_a_table_of_boxes_is_never_read_as_classes(tmp_path: Path) -> None:
    make.csv(tmp_path)
    with pytest.raises(DataError, match="is for detection"):
        read(tmp_path, Faults(), "classification")


def test_captions_in_a_table(tmp_path: Path) -> None:
    make.images(tmp_path, "{split}")
    make.write(tmp_path / "train" / "metadata.csv",
               'file_name,text\na.png,"a cat, a dog"\n空 b.PNG,nothing, really\n')  # fmt: skip
    make.write(tmp_path / "val" / "metadata.jsonl", '{"file_name": "c.jpg", "text": 3}\n')
    faults = Faults()
    content = find("caption").make().content(tmp_path, faults)
    assert [one.text for one in content.train] == ["a cat, a dog"]
    assert [one.sentence() for one in faults.found] == [
        "train/metadata.csv:3: it has 3 cells, the first line 2",
        "train/空 b.PNG: the picture has no caption",
        "val/metadata.jsonl:1: it names no picture or no text",
        "val/c.jpg: the picture has no caption",
    ]


def test_label_files_of_yolo_are_no_captions(tmp_path: Path) -> None:
    for number in range(3):
        make.draw(tmp_path / f"{number}.png", [], number)
        make.write(tmp_path / f"{number}.txt", "0 0.5 0.5 0.4 0.4\n" if number else "")
    assert report(tmp_path).format != "caption"
    make.write(tmp_path / "meta.json", json.dumps({"type": "caption"}))
    assert "1.png: its caption is a label file of YOLO's" in told(tmp_path)


def test_a_writer_never_makes_a_crowd_s_image_background(tmp_path: Path) -> None:
    make.draw(tmp_path / "one" / "a.png")
    item = Item(b"a.png", 40, 30, shapes=[Shape(0, (1, 1, 9, 9), crowd=True)])
    for name in ("csv", "labelstudio"):
        content = Content(tmp_path / "one", "", "detection", ("cat",), [item])
        said = write(content, tmp_path / name, find(name))
        assert said.lost == {"a crowd is left out": 1}
        back, _ = make.read(tmp_path / name, "detection")
        assert back.train[0].shapes is None
