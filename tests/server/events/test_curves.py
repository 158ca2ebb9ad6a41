from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tandem.server.context import Context
from tandem.server.db.database import Database
from tandem.server.errors import NotFoundError
from tandem.server.events import curve_index
from tandem.server.events.collect import collect
from tandem.server.events.curves import curves, extremes
from tandem.server.events.hub import Hub
from tandem.server.events.schemas import Curve
from tandem.spec.journal import NAME
from tests.server.events.rows import job, line, task

TASK = "TASK_00000001"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


@pytest.fixture
def here(sqlite: Database, settings_of: Callable[..., object], run: Path) -> Context:
    task(sqlite, run_dir=str(run), live=1)
    settings = settings_of(sqlite.url.render_as_string(hide_password=False))
    return Context(settings=settings, database=sqlite, executor=None, hub=Hub())  # type: ignore[arg-type]


def says(run: Path, *lines: bytes) -> None:
    with (run / NAME).open("ab") as file:
        file.write(b"".join(lines))


def steps(first: int, last: int, seq: int = 1, **fields: object) -> list[bytes]:
    return [
        line(
            seq + n,
            "metric",
            step=step,
            total_steps=100,
            epoch=1 + (step - 1) // 25,
            values={"loss": 1.0 / step, "loss/kl_div": float(step)},
            **fields,
        )
        for n, step in enumerate(range(first, last + 1))
    ]


def asked(here: Context, name: str, kind: str = "step", **given: object) -> Curve:
    options = {"points": 1000, "names": None, "x": "step", "begins": None, "ends": None} | given
    found = curves(here, TASK, **options)  # type: ignore[arg-type]
    return next(one for one in found.series if (one.name, one.kind) == (name, kind))


def test_steps_and_epochs_have_their_curves(here: Context, run: Path):
    says(run, line(1, "started"), *steps(1, 25, seq=2))
    says(run, line(27, "epoch", val_accuracy=0.5), line(28, "finished"))
    assert asked(here, "loss/kl_div").y == [float(n) for n in range(1, 26)]
    assert asked(here, "loss").x == [float(n) for n in range(1, 26)]
    epoch = asked(here, "val_accuracy", "epoch")
    assert (epoch.x, epoch.y, epoch.total) == ([25.0], [0.5], 1)
    assert asked(here, "loss/hard", "epoch", x="epoch").x == [1.0]
    assert asked(here, "loss", x="epoch").x[-1] == 1.0
    assert asked(here, "loss", x="time").x[0] == 1772366400.0


def test_an_epoch_tells_of_its_machine(here: Context, run: Path):
    says(run, line(1, "started"), line(2, "epoch", memory_megabytes=512.0, gpu_usage_percent=None))
    says(run, line(3, "epoch", epoch=2, memory_megabytes=640.0, gpu_usage_percent=75.0))
    assert asked(here, "memory_megabytes", "epoch").y == [512.0, 640.0]
    assert asked(here, "gpu_usage_percent", "epoch").y == [None, 75.0]


def test_what_is_asked_for_bounds_names_and_range(here: Context, run: Path):
    says(run, line(1, "started"), *steps(1, 100, seq=2))
    found = curves(
        here, TASK, points=10, names=frozenset({"loss"}), x="step", begins=20.0, ends=80.0
    )
    (only,) = found.series
    assert (only.name, only.total, only.x[0], only.x[-1]) == ("loss", 61, 20.0, 80.0)
    assert len(only.x) == len(only.y) <= 10


def test_the_index_goes_on_where_it_was(here: Context, run: Path):
    says(run, line(1, "started"), *steps(1, 10, seq=2))
    assert asked(here, "loss").total == 10
    says(run, *steps(11, 20, seq=12), line(22, "metric", step=21, values={"grad_norm": 3.0})[:-5])
    assert asked(here, "loss").total == 20
    says(run, line(22, "metric", step=21, values={"grad_norm": 3.0})[-5:])
    late = asked(here, "grad_norm")
    assert late.y == [None] * 20 + [3.0]
    assert asked(here, "loss").y[-1] is None


def test_a_resumed_run_draws_what_it_does_again_once(here: Context, run: Path):
    says(run, line(1, "started"), *steps(1, 30, seq=2))
    says(run, line(32, "epoch"))
    assert asked(here, "loss").total == 30
    says(run, line(33, "started", attempt=2, resumed_from_epoch=1))
    says(run, *steps(26, 60, seq=34, attempt=2))
    assert asked(here, "loss").x == [float(n) for n in range(1, 61)]
    assert asked(here, "train_loss", "epoch").total == 1


def test_a_journal_begun_anew_draws_a_new_curve(here: Context, run: Path):
    says(run, line(1, "started"), *steps(1, 30, seq=2))
    assert asked(here, "loss").total == 30
    (run / NAME).unlink()
    says(run, line(1, "started", pid=2), *steps(1, 40, seq=2))
    assert asked(here, "loss").total == 40


def test_a_journal_that_lost_its_end_is_read_again(here: Context, run: Path):
    says(run, line(1, "started"), *steps(1, 30, seq=2))
    assert asked(here, "loss").total == 30
    lines = (run / NAME).read_bytes().splitlines(keepends=True)
    (run / NAME).write_bytes(b"".join(lines[:11]))
    assert asked(here, "loss").total == 10


@pytest.mark.parametrize("damage", ["state", "column", "gone", "old"])
def test_a_damaged_index_is_built_anew(here: Context, run: Path, damage: str):
    says(run, line(1, "started"), *steps(1, 30, seq=2))
    before = asked(here, "loss")
    folder = here.settings.home / "curves" / TASK
    if damage == "state":
        (folder / "state.json").write_text('{"rows": ')
    elif damage == "column":
        (folder / "step-3.f64").write_bytes(b"123")
    elif damage == "gone":
        (folder / "step-4.f64").unlink()
    else:
        text = (folder / "state.json").read_text()
        (folder / "state.json").write_text(text.replace('"version": 1', '"version": 0'))
    assert asked(here, "loss") == before


def test_many_who_ask_at_once_get_the_same(here: Context, run: Path):
    says(run, line(1, "started"), *steps(1, 100, seq=2))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: asked(here, "loss"), range(8)))
    assert all(one == found[0] for one in found)
    assert found[0].total == 100


def test_no_number_is_a_gap(here: Context, run: Path):
    values = [1.0, math.nan, math.inf, 4.0]
    lines = [line(n, "metric", step=n, values={"损失 🙂": v}) for n, v in enumerate(values, 1)]
    says(run, *lines)
    assert asked(here, "损失 🙂").y == [1.0, None, None, 4.0]


def test_a_live_run_keeps_its_index_warm(here: Context, run: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(curve_index, "CHUNK_BYTES", 2_000)
    says(run, line(1, "started"), *steps(1, 60, seq=2))
    with here.database.read() as session:
        found = job(session)
        session.expunge(found)
    collect(here, [found])
    assert (here.settings.home / "curves" / TASK / "state.json").exists()


def test_an_unknown_task_has_none(here: Context):
    with pytest.raises(NotFoundError):
        curves(here, "TASK_FFFFFFFF", points=9, names=None, x="step", begins=None, ends=None)


def test_without_a_journal_there_are_none(here: Context):
    found = curves(here, TASK, points=9, names=None, x="step", begins=None, ends=None)
    assert (found.series, found.last_event_id) == ([], "0-0")


@pytest.mark.parametrize("count", [2, 10, 999, 1000, 1001, 12_345, 100_003])
@pytest.mark.parametrize("points", [2, 3, 10, 1000])
def test_first_last_lowest_and_highest_are_kept(count: int, points: int):
    values = np.random.default_rng(count).normal(size=count)
    values[count // 3], values[count // 2] = 99.0, -99.0
    chosen = extremes(values, points)
    assert len(chosen) <= max(points, 4)
    assert (np.diff(chosen) > 0).all()
    assert (chosen[0], chosen[-1]) == (0, count - 1)
    if points > 3:
        assert values[chosen].max() == values.max()
        assert values[chosen].min() == values.min()


def test_a_gap_in_a_long_curve_shows():
    values = np.ones(10_000)
    values[4_000:6_000] = np.nan
    values[8_000] = np.nan
    shown = values[extremes(values, 100)]
    assert np.isnan(shown).any()
    assert np.isfinite(shown).sum() > 20
