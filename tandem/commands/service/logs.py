"""`tandem logs TASK`."""

from __future__ import annotations

import sys
import time

from tandem.client.connect import connect

POLL_SECONDS = 0.5


def logs(task_id: str, lines: int, follow: bool, server: str | None) -> int:
    """Its last lines; with `follow`, the next ones too until the task ends."""
    with connect(server) as client:
        part = client.log(task_id, tail=lines)
        _write(part.text)
        while follow:
            # Asked before the log: what is written until the end is read after it.
            ended = client.task(task_id).ended
            begun_anew = part.total_bytes < part.next_offset
            part = client.log(task_id, after=0 if begun_anew else part.next_offset)
            _write(part.text)
            if ended and not part.text:
                break
            if not part.text:
                time.sleep(POLL_SECONDS)
    return 0


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
