"""Whatever the files hold, a reader says what is wrong: it never breaks, nor takes for ever."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tandem.data import video
from tandem.data.content import Rle
from tandem.data.inspection.check import report
from tandem.data.masks import is_whole, mask_rle, rle_mask
from tandem.spec.errors import DataError
from tests.data import make
from tests.data.test_bad_input import make_video

ODD: list[Any] = [None, True, -1, 0, 10**400, 1e308, float("nan"), float("inf"), "", "x", "²",
                  "\0", "\ud800", "../../x", "x" * 5000, [], [[]], [None], {}, {"a": 1}, [1, 2],
                  [[1, 2], [3]], [{"a": []}]]  # fmt: skip
JSONS = {"coco": "annotations/train.json", "labelme": "train/a.json", "instruction": "train.jsonl",
         "labelstudio": "label_studio.json", "text": "val.jsonl"}  # fmt: skip


def _places(whole: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    below = whole.items() if isinstance(whole, dict) else (
        enumerate(whole) if isinstance(whole, list) else ())  # fmt: skip
    for key, value in below:
        yield from _places(value, (*path, key))


def _put(whole: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    here = whole
    for step in path[:-1]:
        here = here[step]
    here[path[-1]] = value
    return whole


@pytest.mark.parametrize("name", sorted(JSONS))
def test_any_value_may_stand_anywhere_in_json(name: str, tmp_path: Path) -> None:
    """Every place of the file holds every odd value in turn (of the long file, some)."""
    make.ALL[name](tmp_path)
    (tmp_path / "meta.json").write_text(json.dumps({"type": name}))
    file = tmp_path / JSONS[name]
    text = file.read_text().split("\n")[0]
    places = list(_places(json.loads(text)))
    dice = random.Random(0)
    cases = [(place, odd) for place in places for odd in ODD]
    for place, odd in dice.sample(cases, min(len(cases), 400)):
        file.write_text(json.dumps(_put(json.loads(text), place, odd)))
        try:
            content, faults = make.read(tmp_path)
        except DataError:
            continue
        for _, items in content.splits():
            for item in items:
                for shape in item.shapes or []:
                    assert all(np.isfinite(shape.bounds()))
                    assert 0 <= shape.label < len(content.classes)
        assert all(len(one) < 6000 for one in faults)


TEXTS = {"yolo": "labels/train/a.txt", "csv": "labels.csv", "voc": "Annotations/a.xml",
         "text": "train.csv", "segmentation": "classes.txt", "voc_segmentation": "labelmap.txt",
         "caption": "train/a.txt"}  # fmt: skip


@pytest.mark.parametrize("name", sorted(TEXTS))
@pytest.mark.parametrize(
    "damage",
    [
        lambda raw, dice: raw[: dice.randrange(len(raw))],
        lambda raw, dice: raw[:5] + bytes(dice.randrange(256) for _ in range(30)) + raw[5:],
        lambda raw, dice: raw.replace(b"0", b"\x00").replace(b"1", b"\xff"),
        lambda raw, dice: b'"' + raw * 3,
        lambda raw, dice: raw.replace(b" ", "\u2028".encode()).replace(b",", b"\t"),
        lambda raw, dice: b"x" * 300_000 + raw,
    ],
    ids=["cut", "noise", "zeros", "quote", "separators", "long"],
)
def test_any_bytes_may_stand_in_a_text(
    name: str, damage: Callable[[bytes, random.Random], bytes], tmp_path: Path
) -> None:
    make.ALL[name](tmp_path)
    (tmp_path / "meta.json").write_text(json.dumps({"type": name}))
    file = tmp_path / TEXTS[name]
    raw = file.read_bytes()
    for seed in range(4):
        file.write_bytes(damage(raw, random.Random(seed)))
        json.dumps(report(tmp_path).as_dict())


def test_run_lengths_are_decoded_as_they_were_encoded_and_no_others() -> None:
    dice = np.random.default_rng(0)
    for height, width, share in ((7, 9, 0.5), (1, 1, 1.0), (30, 40, 0.0), (30, 40, 0.02)):
        mask = (dice.random((height, width)) < share).astype(np.uint8)
        rle = mask_rle(mask)
        assert is_whole(rle)
        assert np.array_equal(rle_mask(rle), mask)
        assert not is_whole(Rle(height + 1, width, rle.counts))
    for counts in (b"", b"zzz", b"\xff", b"oooooooooooooooooo", b"0" * 50, b"n" * 3):
        assert not is_whole(Rle(20, 20, counts))
        with pytest.raises(DataError):
            rle_mask(Rle(20, 20, counts))


def test_frames_of_a_video(tmp_path: Path) -> None:
    file = tmp_path / "a.mp4"
    make_video(file, 8)
    assert video.frame_count(file) == 8
    assert video.evenly_spread(4, 8).tolist() == [1, 3, 5, 7]
    assert video.evenly_spread(4, 2).tolist() == [0, 0, 1, 1]
    last, first = video.frames(file, [7, 0])
    assert first.shape == (32, 32, 3)
    assert last.mean() == pytest.approx(140, abs=12)
    assert first.mean() < 12
    seen = [(number, seconds) for number, seconds, _ in video.stream(file, every=3)]
    assert [number for number, _ in seen] == [0, 3, 6]
    assert [seconds for _, seconds in seen] == pytest.approx([0, 0.6, 1.2])
    with pytest.raises(DataError, match="has no frame 8"):
        video.frames(file, [8])
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(file.read_bytes()[:300])
    with pytest.raises(DataError, match=r"cut\.mp4 (cannot be decoded|holds no picture)"):
        video.frame_count(cut)
