"""`tandem cache ls|verify|gc`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING

from tandem.commands.terminal import print_json, print_table
from tandem.config.settings import load
from tandem.spec.errors import SpecError
from tandem.spec.i18n import t

if TYPE_CHECKING:
    from tandem.train.cache import CacheInfo

MEGABYTE = 1e6


def list_all(as_json: bool) -> None:
    """Every folder of the cache, the one used last first."""
    root = load().path("cache_root")
    from tandem.train.cache import list_caches

    found = list_caches(root)
    if as_json:
        print_json([_plain(one) for one in found])
    elif found:
        _table(found)
    else:
        print(t("The cache {root} is empty.", root=root))


def verify(as_json: bool, repair: bool) -> int:
    """Read every byte; 1 when something is damaged and was not repaired."""
    root = load().path("cache_root")
    from tandem.train.cache import verify_cache

    faults = verify_cache(root, repair=repair)
    if as_json:
        print_json([asdict(one) for one in faults])
    elif not faults:
        print(t("All of {root} is as it was written.", root=root))
    else:
        print_table("", ["file", "fault"], [[one.path, one.reason] for one in faults])
        print(
            t("Taken away; the next run makes them again.")
            if repair
            else t("`tandem cache verify --repair` takes them away; the next run makes them again.")
        )
    return int(bool(faults) and not repair)


def collect(
    older_than_days: float | None, max_bytes: int | None, dry_run: bool, as_json: bool
) -> None:
    """Remove what is old or too much, and say what was, or would be, removed."""
    if older_than_days is None and max_bytes is None:
        raise SpecError(
            "tandem cache gc wants to know what may go.",
            fix="Give --older-than-days or --max-bytes; with --dry-run nothing is removed.",
        )
    root = load().path("cache_root")
    from tandem.train.cache import collect_garbage

    gone = collect_garbage(
        root, older_than_days=older_than_days, max_bytes=max_bytes, dry_run=dry_run
    )
    if as_json:
        print_json([_plain(one) for one in gone])
        return
    if gone:
        _table(gone)
    freed = f"{sum(one.bytes for one in gone) / MEGABYTE:.1f}"
    print(
        t("{freed} MB would go.", freed=freed) if dry_run else t("{freed} MB freed.", freed=freed)
    )


def _plain(one: CacheInfo) -> dict[str, object]:
    return {**asdict(one), "path": str(one.path)}


def _table(found: Sequence[CacheInfo]) -> None:
    rows = [
        [
            one.path,
            one.teacher[:16],
            one.image_size,
            ", ".join(f"{name} {rows}" for name, rows in one.parts.items()),
            f"{one.bytes / MEGABYTE:.1f}",
            datetime.fromtimestamp(one.last_used).strftime("%Y-%m-%d %H:%M"),
        ]
        for one in found
    ]
    print_table("", ["folder", "teacher", "pixels", "rows of each part", "MB", "last used"], rows)
