from __future__ import annotations

import os
import time

from filelock import FileLock

from tandem.train.cache import WantedSignals, collect_garbage, list_caches, verify_cache
from tests.train.cache.conftest import Shop
from tests.train.cache.fake_teacher import FakeTeacher


def aged(shop: Shop, days: float) -> None:
    """Make the newest cache look as old as that."""
    newest = list_caches(shop.root)[0]
    then = time.time() - days * 86_400
    os.utime(newest.path / "manifest.json", (then, then))


def test_a_root_that_is_not_there_is_empty(shop: Shop) -> None:
    assert list_caches(shop.root) == []
    assert verify_cache(shop.root) == []
    assert collect_garbage(shop.root, max_bytes=0) == []


def test_listing_tells_rows_bytes_and_teacher(shop: Shop) -> None:
    shop.open(wanted=WantedSignals())
    (one,) = list_caches(shop.root)
    assert one.parts == {"pooled": 159}
    assert one.teacher == FakeTeacher().fingerprint
    assert one.bytes > 159 * 24 * 4
    assert abs(one.last_used - time.time()) < 60


def test_verifying_finds_a_changed_byte_and_repairs(shop: Shop) -> None:
    shop.open()
    assert verify_cache(shop.root) == []
    data = sorted((shop.folder / "pooled").glob("*.data.npy"))[0]
    content = bytearray(data.read_bytes())
    content[-7] ^= 1
    data.write_bytes(bytes(content))
    (fault,) = verify_cache(shop.root)
    assert "has changed since it was written" in fault.reason
    assert fault.path.parent == data.parent
    verify_cache(shop.root, repair=True)
    assert verify_cache(shop.root) == []
    shop.open(verify_samples=0)
    assert data.read_bytes() != bytes(content)
    assert verify_cache(shop.root) == []


def test_garbage_is_what_was_long_unused_or_too_much(shop: Shop) -> None:
    for seed, days in ((0, 40), (1, 10), (2, 0)):
        shop.open(FakeTeacher(seed=seed), wanted=WantedSignals(), verify_samples=0)
        aged(shop, days)
    newest, middle, oldest = list_caches(shop.root)
    assert [one.path for one in collect_garbage(shop.root, older_than_days=30, dry_run=True)] == [
        oldest.path
    ]
    assert len(list_caches(shop.root)) == 3
    collect_garbage(shop.root, older_than_days=30)
    assert [one.path for one in list_caches(shop.root)] == [newest.path, middle.path]
    collect_garbage(shop.root, max_bytes=newest.bytes + 10)
    assert [one.path for one in list_caches(shop.root)] == [newest.path]
    assert not middle.path.exists()


def test_a_cache_in_use_is_left(shop: Shop) -> None:
    shop.open(wanted=WantedSignals())
    with FileLock(shop.folder / ".lock"):
        assert collect_garbage(shop.root, max_bytes=0) == []
    assert len(list_caches(shop.root)) == 1
    assert len(collect_garbage(shop.root, max_bytes=0)) == 1
