"""Filling: what is asked, how it goes on after a kill, who shares it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tandem.spec.errors import CacheError
from tandem.spec.run import ViewSpec
from tandem.train.cache import WantedSignals
from tandem.train.data.augment import Views
from tandem.train.types import Signals
from tests.train.cache.conftest import DENSE, Shop
from tests.train.cache.fake_teacher import FakeTeacher

MakeShop = Callable[..., Shop]


class KilledError(RuntimeError):
    pass


class Mortal(FakeTeacher):
    """Dies at the forward after so many."""

    def __init__(self, forwards: int) -> None:
        super().__init__()
        self.left = forwards

    def signals(self, images_BCHW: torch.Tensor) -> Signals:
        if self.left == 0:
            raise KilledError
        self.left -= 1
        return super().signals(images_BCHW)


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tandem.train.cache.fill.SHARD_ROWS", 32)


def test_each_view_is_asked_for_once(shop: Shop) -> None:
    teacher = FakeTeacher()
    source = shop.open(teacher)
    # What the components were fitted on is not asked for again, but for the batch that is shared.
    assert 53 * 3 <= teacher.shown < 53 * 3 + 8
    assert source.teacher_forwards == teacher.shown
    assert shop.listener.seen[-1] == ("asking the teacher", 159, 159)


def test_batches_are_full_and_of_the_size_asked(shop: Shop) -> None:
    teacher = FakeTeacher()
    shop.open(teacher, wanted=WantedSignals())
    assert teacher.calls == [8] * 19 + [7]


@pytest.mark.parametrize("wanted", [WantedSignals(), DENSE])
@pytest.mark.parametrize("forwards", [0, 3, 7, 10, 15, 19])
def test_a_killed_fill_ends_with_the_bytes_of_one_that_was_not(
    make_shop: MakeShop, wanted: WantedSignals, forwards: int
) -> None:
    whole, killed = make_shop("whole"), make_shop("killed")
    whole.open(wanted=wanted)
    with pytest.raises(KilledError):
        killed.open(Mortal(forwards), wanted=wanted)
    before = killed.files()
    assert not any(".part" in name for name in before)
    teacher = FakeTeacher()
    killed.open(teacher, wanted=wanted, verify_samples=0)
    assert killed.files() == whole.files()
    kept = sum("pooled/" in name and name.endswith(".json") for name in before)
    assert teacher.shown <= 159 + 8 - 32 * kept
    assert forwards < 15 or kept >= 2


def test_what_is_done_is_not_done_again(shop: Shop) -> None:
    with pytest.raises(KilledError):
        shop.open(Mortal(17), wanted=WantedSignals())
    teacher = FakeTeacher()
    shop.open(teacher, wanted=WantedSignals(), verify_samples=0)
    assert teacher.shown == 159 - 4 * 32


def test_a_torn_or_missing_file_is_made_again(make_shop: MakeShop) -> None:
    whole, shop = make_shop("whole"), make_shop("torn")
    whole.open()
    shop.open()
    shards = sorted((shop.folder / "pooled").glob("shard-*.data.npy"))
    shards[0].write_bytes(shards[0].read_bytes()[:-40])
    shards[1].unlink()
    notes = sorted((shop.folder / "logits-question").glob("shard-*.json"))
    notes[0].write_text('{"format": 1, "rows": 3')
    source = shop.open()
    assert shop.files() == whole.files()
    assert len(shop.listener.warnings) == 3
    assert "is not whole" in shop.listener.warnings[0]
    assert 3 * 16 <= source.teacher_forwards - source.verified <= 3 * 32


def test_a_second_task_asks_nothing(shop: Shop) -> None:
    shop.open()
    shop.table = shop.table.rows(np.arange(len(shop.table))[::-1].astype(np.int64))
    shop.views = Views.draw(shop.table, ViewSpec(count=3))
    teacher = FakeTeacher()
    source = shop.open(teacher, wanted=WantedSignals(), verify_samples=0)
    assert teacher.shown == 0
    assert torch.equal(
        source.signals(np.array([0]), np.array([1])).pooled_BD,
        source.signals(np.arange(53), np.ones(53, np.int64)).pooled_BD[:1],
    )


def test_more_images_more_views_or_more_signals_ask_for_the_rest(shop: Shop) -> None:
    table, views = shop.table, shop.views
    shop.table, shop.views = table.rows(np.arange(40)), views.rows(np.arange(40))
    shop.open()
    shop.table, shop.views = table, views
    teacher = FakeTeacher()
    source = shop.open(teacher, verify_samples=0)
    assert teacher.shown == 13 * 3
    assert source.signals(np.arange(53), np.full(53, 2)).tokens_BHWD.shape == (53, 4, 4, 8)
    shop.views = Views.draw(table, ViewSpec(count=4))
    teacher = FakeTeacher()
    shop.open(teacher, verify_samples=0)
    assert teacher.shown == 53
    teacher = FakeTeacher()
    shop.open(teacher, wanted=replace(DENSE, logits_key="another"), verify_samples=0)
    assert teacher.shown == 53 * 4
    assert len(list(shop.folder.glob("tokens-*"))) == 1


def test_other_images_have_components_of_their_own(shop: Shop) -> None:
    table, views = shop.table, shop.views
    for rows in (np.arange(25), np.arange(25, 53)):
        shop.table, shop.views = table.rows(rows), views.rows(rows)
        shop.open()
    assert len(list(shop.folder.glob("tokens-*"))) == 2
    assert len(list(shop.folder.glob("pooled"))) == 1


def test_another_teacher_or_view_has_another_folder_and_it_is_said(shop: Shop) -> None:
    shop.open()
    assert "lacks 159 of 159" in shop.listener.notices[0]
    shop.listener.notices.clear()
    teacher = FakeTeacher(seed=1)
    shop.open(teacher, verify_samples=0)
    assert teacher.shown >= 159
    assert "from another teacher or in other views; they are not used" in shop.listener.notices[0]
    shop.listener.notices.clear()
    shop.views = Views.draw(shop.table, ViewSpec(count=3, colour=0.4))
    shop.open(verify_samples=0)
    assert "they are not used" in shop.listener.notices[0]
    assert sum(one.is_dir() for one in shop.root.iterdir()) == 3
    shop.listener.notices.clear()
    shop.open(verify_samples=0)
    assert shop.listener.notices == []


def test_a_folder_of_another_version_is_refused(shop: Shop) -> None:
    shop.open()
    manifest = shop.folder / "manifest.json"
    for text in (manifest.read_text().replace('"format":1', '"format":9'), "{}", "[", '"x"'):
        manifest.write_text(text)
        with pytest.raises(CacheError, match="of another teacher, other views or another version"):
            shop.open()


def test_an_array_of_objects_is_never_unpickled(shop: Shop) -> None:
    shop.open(wanted=WantedSignals())
    data = sorted((shop.folder / "pooled").glob("shard-*.data.npy"))[0]
    size = data.stat().st_size
    with data.open("wb") as out:
        np.save(out, np.array([{"a": 1}], dtype=object), allow_pickle=True)
        out.truncate(size)
    shop.open(wanted=WantedSignals(), verify_samples=0)
    assert "is no array" in shop.listener.warnings[0]


def in_threads(jobs: list[Callable[[], Any]]) -> list[Any]:
    found: list[Any] = [None] * len(jobs)

    def run(number: int) -> None:
        try:
            found[number] = jobs[number]()
        except Exception as error:  # noqa: BLE001 - handed to the test
            found[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(jobs))]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)
    for one in found:
        if isinstance(one, Exception):
            raise one
    return found


@pytest.mark.parametrize("processes", [2, 3])
def test_processes_share_the_filling(make_shop: MakeShop, processes: int) -> None:
    alone, shared = make_shop("alone"), make_shop("shared")
    alone.open()
    barrier = threading.Barrier(processes, timeout=60)
    teachers = [FakeTeacher() for _ in range(processes)]

    def job(rank: int) -> Callable[[], Any]:
        def wait() -> None:
            barrier.wait()
            time.sleep(0.1 * rank)  # the first runs ahead, and must not change what others see

        return lambda: shared.open(teachers[rank], rank=rank, processes=processes, barrier=wait)

    sources = in_threads([job(rank) for rank in range(processes)])
    assert shared.files() == alone.files()
    assert all(0 < teacher.shown < 140 for teacher in teachers)
    rows = np.arange(53)
    first = sources[0].signals(rows, rows % 3)
    assert torch.equal(sources[1].signals(rows, rows % 3).tokens_BHWD, first.tokens_BHWD)


def test_a_second_run_waits_and_then_finds_it_warm(shop: Shop, tmp_path: Path) -> None:
    started, go_on = threading.Event(), threading.Event()

    class Slow(FakeTeacher):
        def signals(self, images_BCHW: torch.Tensor) -> Signals:
            started.set()
            assert go_on.wait(30)
            return super().signals(images_BCHW)

    second = FakeTeacher()

    def late() -> Any:
        assert started.wait(30)
        threading.Timer(0.3, go_on.set).start()
        return shop.open(second, verify_samples=0)

    in_threads([lambda: shop.open(Slow()), late])
    assert second.shown == 0
    assert any("Another run is filling the cache" in one for one in shop.listener.notices)
