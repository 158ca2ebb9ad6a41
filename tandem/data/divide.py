"""`python -m tandem.data.divide FOLDER TARGET SHARE SEED`: a split, and one line of JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tandem.data.split import split
from tandem.spec.errors import TandemError


def main(source: str, target: str, share: str, seed: str) -> dict[str, object]:
    """Whether it went well, and if not why, for a person."""
    try:
        written = split(Path(source), float(share), int(seed), Path(target))
    except (TandemError, OSError) as error:
        reason = error.sentence() if isinstance(error, TandemError) else str(error)
        return {"ok": False, "message": reason}
    return {"ok": True, "items": written.items, "notes": written.notes}


if __name__ == "__main__":  # the service's own way: a process that may take its time
    print(json.dumps(main(*sys.argv[1:5]), ensure_ascii=True))
