"""`tandem stop TASK`."""

from __future__ import annotations

import time

from tandem.client.connect import connect
from tandem.commands.service.tasks import state_word
from tandem.commands.terminal import print_status
from tandem.spec.i18n import t

POLL_SECONDS = 0.3


def stop(task_id: str, pause: bool, wait: bool, server: str | None) -> int:
    """Ask it to save a checkpoint and end; with `wait`, come back when it has."""
    with connect(server) as client:
        task = client.pause(task_id) if pause else client.stop(task_id)
        while wait and not task.ended:
            time.sleep(POLL_SECONDS)
            task = client.task(task_id)
    if task.ended:
        print_status(t("{task} is {state}.", task=task_id, state=state_word(task.status)))
    else:
        print_status(t("{task} was asked to save and stop.", task=task_id))
    return 0
