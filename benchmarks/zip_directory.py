"""Memory that a ZIP takes whose directory lists far too many names: it is refused before that.

Two archives of 85 MB with 1,500,000 names: one says so in its end record, one says 10. Each is
given to `unpack` in a process of its own; what counts is the most it held over what it held before.
"""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.row import Row

NAMES = 1_500_000
MOST_BYTES = 50 * 2**20
_CODE = """
import json, resource, sys, time
from pathlib import Path
from tandem.data.archive import unpack
from tandem.spec.errors import DataError
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
began, said = time.perf_counter(), ""
try:
    unpack(Path(sys.argv[1]), Path(sys.argv[1]).with_suffix(".out"))
except DataError as error:
    said = error.sentence()
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([1024 * (after - before), time.perf_counter() - began, said]))
"""


def measure(names: int = NAMES) -> list[Row]:
    rows = []
    for told, about in ((names, "its end record says so"), (10, "its end record says 10")):
        with tempfile.TemporaryDirectory(prefix="tandem-zip-") as folder:
            file = write(Path(folder) / "many.zip", names, told)
            command = [sys.executable, "-c", _CODE, str(file)]
            done = subprocess.run(command, capture_output=True, check=True)
            size = file.stat().st_size
        taken, seconds, said = json.loads(done.stdout)
        rows.append(
            Row(
                f"Memory for a ZIP of {size / 1e6:.0f} MB that lists {names:,} names; {about}",
                f"{taken / 2**20:.0f} MiB more",
                f"≤ {MOST_BYTES >> 20} MiB",
                taken <= MOST_BYTES and bool(said),
                f"refused in {seconds:.2f} s: {said}",
            )
        )
    return rows


def write(file: Path, names: int, told: int) -> Path:
    """A directory of `names` entries, of which the end record tells `told`; ZIP64 where needed."""
    with file.open("wb") as out:
        for block in _directory(names):
            out.write(block)
        size = out.tell()
        if told >= 0xFFFF:
            wide = (44, 45, 45, 0, 0, told, told, size, 0)
            out.write(struct.pack("<4sQ2H2L4Q", b"PK\6\6", *wide))
            out.write(struct.pack("<4sLQL", b"PK\6\7", 0, size, 1))
            out.write(struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, *[0xFFFF] * 2, *[2**32 - 1] * 2, 0))
        else:
            out.write(struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, told, told, size, 0, 0))
    return file


def _directory(names: int) -> Iterator[bytes]:
    for begins in range(0, names, 10_000):
        yield b"".join(
            struct.pack("<4s4B4HL2L5H2L", b"PK\1\2", 20, 3, 20, 0, 0, 0, 0, 0, 0, 0, 0,
                        len(name), 0, 0, 0, 0, 0, 0) + name
            for name in (b"t/c/%07d" % n for n in range(begins, min(begins + 10_000, names)))
        )  # fmt: skip


if __name__ == "__main__":
    for row in measure():
        print(row)
