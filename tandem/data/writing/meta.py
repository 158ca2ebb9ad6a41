"""What a data set says of itself in its meta.json."""

from __future__ import annotations

import json
from pathlib import Path

from tandem.data.reading.files import read_json
from tandem.data.registry import META, find
from tandem.data.writing.files import write_whole


def put_type(folder: Path, layout: str | None) -> None:
    """Have the data set read as `layout` from now on; None: by the look of its folder.

    What else its meta.json says stays. DataError for a layout that there is not.
    """
    file = folder / META
    found = read_json(file) if file.is_file() else {}
    meta = dict(found) if isinstance(found, dict) else {}
    if layout is not None:
        meta["type"] = find(layout).name
    else:
        meta.pop("type", None)
    if meta:
        write_whole(file, json.dumps(meta, ensure_ascii=False))
    else:
        file.unlink(missing_ok=True)
