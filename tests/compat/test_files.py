"""Finished runs, an interrupted one, a cache and imported models, all of 7fb42ae's own writing."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from tests.compat import home as kept
from tests.compat import seen as ask
from tests.compat.differences import VARIES, agree


def test_every_model_says_what_it_said(home_of, seen):
    home = home_of("runs", "models")
    assert len(seen["predictions"]) == len(ask.models(home)) == 8
    for name, said in seen["predictions"].items():
        if name.startswith("runs/detection") and find_spec("ultralytics") is None:
            continue  # an extra
        agree(said, ask.predictions(home, name), name)


def test_the_command_line_reads_runs_caches_and_models(home_of, seen):
    home = home_of("runs/resnet", "models")
    now = {line: ask.run(home, line) for line in seen["commands"]}
    was = seen["commands"]
    settings = {row["name"]: row for row in was["config show --json"][1]}
    # A Java system's server.port counts now, and output.models where no root is given; that the
    # other two move nothing is said in so many words.
    settings["port"]["legacy_key"] = VARIES
    for name in ("output_models", "output_logs", "output_checkpoints"):
        settings[name]["about"] = VARIES
    agree(was, now)


def test_an_interrupted_run_goes_on_from_its_checkpoint(home_of, seen):
    home = home_of("runs/interrupted", "models")
    now = ask.resumed(home)
    agree(seen["resumed"], now)
    assert now["events"][0]["resumed_from_epoch"] == 2


@pytest.mark.parametrize("name", kept.WARM)
def test_a_cache_is_found_warm_and_verified(home_of, seen, name):
    home = home_of("models")
    before = {file: file.read_bytes() for file in (home / "cache").rglob("*.npy")}
    now = ask.warm(home, name, kept.WARM[name])
    agree(seen["warm"][name], now)
    assert now["forwards"] == 2 * kept.WARM[name]  # to verify those of train and of val, no more
    assert before == {file: file.read_bytes() for file in (home / "cache").rglob("*.npy")}
