"""`tandem resume TASK`."""

from __future__ import annotations

from tandem.client.connect import connect
from tandem.commands.service.follow import watch_interruptibly
from tandem.commands.service.tasks import state_word
from tandem.commands.terminal import print_status
from tandem.spec.i18n import t


def resume(task_id: str, follow: bool, server: str | None) -> int:
    """Queue it: from its last checkpoint, or from its beginning if it never ran."""
    with connect(server) as client:
        task = client.start(task_id)
        print_status(t("{task} is {state}.", task=task_id, state=state_word(task.status)))
        return watch_interruptibly(client, task_id) if follow else 0
