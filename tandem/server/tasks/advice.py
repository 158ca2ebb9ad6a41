"""What a person can do about a failure, by its class and exit code."""

from __future__ import annotations

import signal

from tandem.spec.i18n import t

KILLED = -int(signal.SIGKILL)


def advice(failure_class: str | None, exit_code: int | None = None) -> str | None:
    """One or two sentences in the reader's language; None for a class that has none."""
    if exit_code in (KILLED, 128 - KILLED) and failure_class in (None, "lost"):
        return t(
            "The run was killed, most likely because the machine ran out of memory: lower "
            "batchSize or data.workers, run fewer trainings at once, or give the machine more "
            "memory; then start the task again: it goes on from its last checkpoint."
        )
    match failure_class:
        case "user_input":
            return t("Mend what the message names, then start the task again.")
        case "data":
            return t("Mend the data set that the message names, then start the task again.")
        case "out_of_memory":
            return t(
                "Lower batchSize, or choose a smaller student or teacher.precision; then start "
                "the task again: it goes on from its last checkpoint."
            )
        case "disk":
            return t(
                "Free some space on the disk of the run's folder (`tandem tasks gc` shows what "
                "can go), then start the task again: it goes on from its last checkpoint."
            )
        case "code":
            return t(
                "The traceback is in stderr.txt and log.txt of the run's folder; show it to "
                "support."
            )
        case "lost":
            return t(
                "The run ended without a word: look at the machine and at stderr.txt of the "
                "run's folder, then start the task again: it goes on from its last checkpoint."
            )
        case "stopped":
            return t("Start the task again: it goes on from its last checkpoint.")
        case "preempted":
            return t(
                "Something outside Tandem asked the run to stop. Start the task again: it goes "
                "on from its last checkpoint."
            )
    return None
