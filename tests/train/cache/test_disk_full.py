from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tandem.spec.errors import DiskFullError
from tandem.train.cache.disk import check_room
from tests.train.cache.conftest import Shop

# A limit on the size of a file stands in for a disk with no room: the write is refused half-way.
SCRIPT = """
import resource, sys
from pathlib import Path
import torch
from tandem.spec.errors import DiskFullError
from tandem.spec.run import CacheSpec, DataSpec, ViewSpec
from tandem.train.data import classification as data
from tandem.train.cache import SourceRequest, SourceSetup, WantedSignals, open_source
from tandem.train.types import SilentProgress
from tandem.train.data.augment import Views
from tests.train.cache.fake_teacher import FakeTeacher

folder, root, limit = sys.argv[1:]
listener = SilentProgress()
table = data.read(DataSpec(dataset=folder), index_root=None, progress=listener).train
resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
try:
    views, wanted = Views.draw(table, ViewSpec()), WantedSignals(tokens=True, grid=8)
    setup = SourceSetup(CacheSpec(root=Path(root)), torch.device("cpu"), 8, 10**8, listener)
    open_source(FakeTeacher(), SourceRequest(table, views, 4, wanted), setup)
except DiskFullError as error:
    print(error)
    sys.exit(9)
"""


@pytest.mark.parametrize("limit", [300, 3000, 60_000])
def test_a_full_disk_says_what_to_do_and_leaves_nothing_half_written(
    shop: Shop, tmp_path: Path, limit: int
) -> None:
    root = tmp_path / "full"
    command = [sys.executable, "-c", SCRIPT, str(shop.table.root), str(root), str(limit)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 9, found.stderr
    assert "No room for the teacher's signals in" in found.stdout
    assert "tandem cache gc" in found.stdout
    assert not list(root.rglob("*.part"))
    assert all(file.stat().st_size < limit for file in root.rglob("*.npy"))


def test_too_little_room_is_known_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(DiskFullError, match=r"need [\d,]+ MB in .* MB are free"):
        check_room(tmp_path, 2**60)
    check_room(tmp_path, 1000)
