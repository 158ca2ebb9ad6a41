"""Splits are alike, seeded and keep groups together; figures say what is there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tandem.data.inspection.chart import draw
from tandem.data.inspection.near_duplicates import find_near_duplicates
from tandem.data.inspection.stats import stats
from tandem.data.writing.split import split
from tandem.spec.errors import DataError, SpecError
from tests.data import make


def folders(root: Path, counts: dict[str, int], name: str = "{number}") -> Path:
    seed = 0
    for label, count in counts.items():
        for number in range(count):
            seed += 1
            file = root / "train" / label / f"{name.format(number=number, half=number // 4)}.png"
            make.draw(file, [], seed)
    return root


def per_class(path: Path) -> list[dict[str, int]]:
    content, faults = make.read(path)
    assert not faults
    return [{name: sum(one.label == number for one in items)
             for number, name in enumerate(content.classes)}
            for _, items in content.splits()]  # fmt: skip


def test_every_class_gives_its_share(tmp_path: Path) -> None:
    one = folders(tmp_path / "one", {"many": 40, "some": 20, "two": 2, "three": 3})
    make.draw(one / "unlabeled" / "who.png", [], 99)
    said = split(one, 0.15, 0, tmp_path / "two")
    train, val = per_class(tmp_path / "two")
    assert val == {"many": 6, "some": 3, "two": 1, "three": 1}
    assert train == {"many": 34, "some": 17, "two": 1, "three": 2}
    assert said.items == {"train": 55, "val": 11}  # the unlabelled one stays in train


def test_a_seed_gives_the_same_split_and_another_another(tmp_path: Path) -> None:
    one = folders(tmp_path / "one", {"a": 20, "b": 20})
    chosen = []
    for place, seed in enumerate((3, 3, 4)):
        split(one, 0.2, seed, tmp_path / f"to{place}")
        content, _ = make.read(tmp_path / f"to{place}")
        chosen.append({item.name for item in content.val or []})
    assert chosen[0] == chosen[1] != chosen[2]


def test_boxes_are_split_by_what_is_in_the_images(tmp_path: Path) -> None:
    one = tmp_path / "one"
    make.write(one / "data.yaml", "names: [common, rare]\n")
    for number in range(40):
        make.draw(one / f"images/train/{number}.png", [], number)
        line = f"{int(number < 6)} 0.5 0.5 0.2 0.2\n" if number < 30 else ""
        make.write(one / f"labels/train/{number}.txt", line)
    split(one, 0.2, 0, tmp_path / "two")
    content, _ = make.read(tmp_path / "two")
    found = [[shape.label for shape in item.shapes or []] or ["none"] for item in content.val or []]
    labels = [one for several in found for one in several]
    assert {name: labels.count(name) for name in (0, 1, "none")} == {0: 5, 1: 1, "none": 2}


def test_a_class_that_one_item_holds_is_learnt(tmp_path: Path) -> None:
    """Though the item's other class would gain by it on either side."""
    for seed in range(12):
        one = tmp_path / f"one{seed}"
        make.write(one / "data.yaml", "names: [common, single]\n")
        for number in range(4):
            make.draw(one / f"images/train/{number}.png", [], number)
            extra = "1 0.5 0.5 0.1 0.1\n" if number == 0 else ""
            make.write(one / f"labels/train/{number}.txt", f"0 0.5 0.5 0.2 0.2\n{extra}")
        split(one, 0.75, seed, tmp_path / f"two{seed}")
        content, _ = make.read(tmp_path / f"two{seed}")
        assert any(shape.label == 1 for item in content.train for shape in item.shapes or [])


def test_a_group_is_never_on_both_sides(tmp_path: Path) -> None:
    one = folders(tmp_path / "one", {"a": 40, "b": 40}, "p{half}_{number}")
    said = split(one, 0.2, 1, tmp_path / "two", pattern=r"(p\d+)_")
    content, _ = make.read(tmp_path / "two")
    sides = [
        {Path(item.name).name.split("_")[0] for item in items} for _, items in content.splits()
    ]
    assert not sides[0] & sides[1]
    assert len(sides[0] | sides[1]) == 10
    assert 0.1 <= said.items["val"] / 80 <= 0.3


def test_names_without_the_pattern_stand_alone_and_are_counted(tmp_path: Path) -> None:
    one = folders(tmp_path / "one", {"a": 10, "b": 10})
    said = split(one, 0.2, 1, pattern=r"(patient\d+)")
    assert any("not found in 20 names" in note for note in said.notes)


def test_an_old_val_is_mixed_in_and_no_image_is_lost(tmp_path: Path) -> None:
    one = folders(tmp_path / "one", {"a": 10, "b": 10})
    make.draw(one / "val/a/0.png", [], 77)
    make.draw(one / "val/b/0.png", [], 78)
    said = split(one, 0.15, 0, tmp_path / "two")
    assert sum(said.items.values()) == 22
    assert any("split anew" in note for note in said.notes)
    files = {file.read_bytes() for file in (tmp_path / "two").rglob("*.png")}
    assert files == {file.read_bytes() for file in one.rglob("*.png")}


@pytest.mark.parametrize("name", sorted(make.ALL))
def test_any_layout_can_be_split(name: str, tmp_path: Path) -> None:
    make.ALL[name](tmp_path / "one")
    before, _ = make.read(tmp_path / "one")
    said = split(tmp_path / "one", 0.4, 0, tmp_path / "two")
    after, faults = make.read(tmp_path / "two")
    assert not faults
    assert after.format == name
    assert said.items["val"] >= 1
    assert sum(said.items.values()) == sum(len(items) for _, items in before.splits())


def test_what_is_asked_for_wrongly(tmp_path: Path) -> None:
    one = folders(tmp_path / "one", {"a": 4, "b": 4})
    assert any("unusual" in note for note in split(one, 0.5, 0).notes)
    assert not any("unusual" in note for note in split(one, 0.2, 0).notes)
    with pytest.raises(SpecError, match="between 0 and 1"):
        split(one, 1.0, 0)
    with pytest.raises(SpecError, match="no regular expression"):
        split(one, 0.2, 0, pattern="(")
    (one / "train/a/0.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"0\.png"):
        split(one, 0.2, 0, tmp_path / "two")
    assert not (tmp_path / "two").exists()


def test_figures_of_boxes(tmp_path: Path) -> None:
    make.coco(tmp_path)
    said, _ = stats(tmp_path)
    assert said.items == {"train": 2, "val": 1}
    assert said.per_class == {"train": {"cat": 1, "dog": 1}, "val": {"cat": 1, "dog": 1}}
    assert said.background == {"train": 1, "val": 0}
    assert said.widths == [40] * 5
    assert said.shapes_per_item == [0, 1, 2, 2, 2]
    assert said.shape_area_shares[0] == pytest.approx(8 * 6 / 1200, abs=1e-5)
    assert said.shape_area_shares[-1] == 1
    assert said.unreadable == said.faults == 0


def test_near_copies_are_found_within_and_across_the_splits(tmp_path: Path) -> None:
    images = [Image.fromarray(np.random.default_rng(seed).integers(0, 255, (8, 8, 3), np.uint8))
                for seed in range(4)]  # fmt: skip
    large = [one.resize((160, 120), Image.Resampling.BICUBIC) for one in images]
    for place in ("train/a", "train/b", "val/a", "val/b"):
        (tmp_path / place).mkdir(parents=True)
    large[0].save(tmp_path / "train/a/0.png")
    large[0].resize((80, 60)).save(tmp_path / "val/a/small.jpg", quality=80)
    large[1].save(tmp_path / "train/b/1.png")
    large[1].save(tmp_path / "train/b/again.jpg", quality=70)
    large[2].save(tmp_path / "train/a/2.png")
    large[3].save(tmp_path / "val/b/3.png")
    said, _ = stats(tmp_path)
    assert said.near.across == 2
    assert said.near.within == {"train": 2}
    assert said.near.groups == [["train/a/0.png", "val/a/small.jpg"],
                                ["train/b/1.png", "train/b/again.jpg"]]  # fmt: skip


def test_near_copies_are_those_of_few_bits_however_many_there_are() -> None:
    """Against comparing each with each, on hashes made to crowd the buckets."""
    random = np.random.default_rng(0)
    base = [int(x) for x in random.integers(0, 2**63, 10)]
    hashes = [("train", f"{n}", base[n % 10] ^ (1 << int(random.integers(64)))) for n in range(400)]
    expected: list[set[int]] = []
    for n, (_, _, one) in enumerate(hashes):
        near = [g for g in expected if any((hashes[m][2] ^ one).bit_count() <= 3 for m in g)]
        expected = [g for g in expected if g not in near] + [set().union({n}, *near)]
    said = find_near_duplicates(hashes)
    assert said.within["train"] == sum(len(one) for one in expected if len(one) > 1)
    assert len(said.groups) == sum(len(one) > 1 for one in expected)


@pytest.mark.parametrize("name", sorted(make.ALL))
def test_any_layout_has_figures_and_an_image_of_them(name: str, tmp_path: Path) -> None:
    make.ALL[name](tmp_path / "one")
    said, values = stats(tmp_path / "one")
    json.dumps(said.as_dict())
    assert sum(said.items.values()) > 0
    if name in ("coco", "text"):
        draw(said, values, tmp_path / "figures.png")
        with Image.open(tmp_path / "figures.png") as image:
            assert image.width == 1000
            assert len(set(image.convert("L").resize((50, 50)).tobytes())) > 10
