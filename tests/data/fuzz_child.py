"""Reads data sets in a process of its own, under a limit of memory, and says how each one ended.

`python -m tests.data.fuzz_child FOLDER`: each folder in it is one, its layout the name before the
first `-`. A line of JSON to each: how it ended.
"""

from __future__ import annotations

import json
import resource
import sys
import traceback
from pathlib import Path

from tandem.data.faults import Faults
from tandem.data.inspection.check import report
from tandem.data.reading.folder_listing import FolderListing
from tandem.data.registry import formats
from tandem.spec.errors import TandemError

ROOM = 2**30
"""Bytes of address space beyond what the process has when it begins."""


def main(folder: Path) -> None:
    """Read each, once by looking and once as the layout that it was."""
    known = formats()
    import av  # noqa: F401  what the readers would load is not counted
    import pycocotools.mask  # noqa: F401

    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + ROOM, resource.RLIM_INFINITY))
    for one in sorted(folder.iterdir()):
        entry = known[one.name.split("-")[0]]
        print(json.dumps({"begins": one.name}), flush=True)
        try:
            said = json.dumps(report(one).as_dict())
            listing = FolderListing(one)
            for each in known.values():
                each.make().sniff(listing)
            try:
                entry.make().content(one, Faults())
            except TandemError as error:
                error.sentence()
            ended = "ok" if len(said) < 2**24 else "its report has no end"
        except Exception:  # noqa: BLE001  this is what is looked for
            ended = traceback.format_exc()
        print(json.dumps({"name": one.name, "ended": ended}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
