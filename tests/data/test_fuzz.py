"""Whatever happens to a data set's files, it is told in words: no traceback, no hang, no 1 GB."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tandem.data.content import Item
from tandem.data.faults import Faults
from tandem.data.reading.files import measure, read_text
from tandem.spec.errors import DataError
from tests.data import make
from tests.data.mutations import mutate

CASES = int(os.environ.get("TANDEM_EXAMPLES", "24"))
"""Mutated data sets of each layout; with another number of them, new ones each time."""
SECONDS = 60
"""For all of them, most of which is what the imports take on a busy machine."""


@pytest.mark.parametrize("name", sorted(make.ALL))
def test_no_reader_breaks_hangs_or_fills_the_memory(name: str, tmp_path: Path) -> None:
    seed = 0 if "TANDEM_EXAMPLES" not in os.environ else random.randrange(2**32)
    told = {}
    for number in range(CASES):
        case = tmp_path / "sets" / f"{name}-{number:04}"
        make.ALL[name](case)
        if number % 2:
            make.write(case / "meta.json", json.dumps({"type": name}))
        told[case.name] = mutate(case, random.Random(f"{name}{seed}{number}"))
    command = [sys.executable, "-m", "tests.data.fuzz_child", str(tmp_path / "sets")]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False,
                              timeout=SECONDS + CASES)  # fmt: skip
    except subprocess.TimeoutExpired as error:
        last = (error.stdout or b"").decode().splitlines()[-1]
        case = json.loads(last).get("begins", last)
        pytest.fail(f"it hangs at {case}: {told.get(case)} (seed {seed})")
    ended = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, (
        f"{ended[-1:]} {told.get(ended[-1].get('begins', ''))} {done.stderr}"
    )
    broken = [f"{told[one['name']]}: {one['ended']}" for one in ended
              if one.get("ended", "ok") != "ok"]  # fmt: skip
    assert not broken, f"seed {seed}: {len(broken)} broken\n" + "\n".join(broken)
    assert sum("ended" in one for one in ended) == CASES


def test_a_pipe_is_no_image_and_no_text(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    faults = Faults()
    assert not measure(tmp_path, Item(b"a.png"), faults)
    assert [one.sentence() for one in faults.found] == [
        "a.png: it is no picture, whatever its name says"
    ]
    with pytest.raises(DataError, match="is no file"):
        read_text(tmp_path / "a.png")
