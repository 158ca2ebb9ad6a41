"""Several processes of one run, through torchrun; this process speaks for them to its caller."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import psutil

from tandem.train.engines.stop import StopRequest

POLL_SECONDS = 0.2


def launch(spec_file: str, processes: int, stop: StopRequest) -> int:
    """Run `processes` of the trainer under torchrun and return the first one's exit code.

    Where one of them runs out of memory, the others wait for it in a reduction that never comes:
    all start again from the last checkpoint, with half as many images at once.
    """
    micro_batch = 0
    while True:
        outcome = _launch_once(spec_file, processes, stop, micro_batch)
        # Asked to stop meanwhile: what was saved waits for the next start, fewer at once or not.
        if outcome.next_micro == 0 or stop.asked:
            if outcome.sentence:
                print(outcome.sentence, file=sys.stderr)
            return outcome.code
        micro_batch = outcome.next_micro


@dataclass(frozen=True)
class ExitOutcome:
    """What the process that ended first has left for its launcher."""

    code: int
    sentence: str = ""
    next_micro: int = 0
    """Images at once that may fit, after running out of memory; 0 otherwise."""


def _launch_once(
    spec_file: str, processes: int, stop: StopRequest, micro_batch: int
) -> ExitOutcome:
    """One torchrun.

    torchrun itself answers 1 whatever its processes said, and says so at length on stderr: so the
    first of them leaves its code and its sentence in a file, and the rest is shown only where that
    is missing. A request to stop goes to the trainers alone: torchrun would kill them after 30 s.
    """
    with tempfile.TemporaryDirectory(prefix="tandem-") as folder:
        exit_file = Path(folder) / "exit"
        # Standalone: a free port of its own, so that two runs on one machine do not meet.
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
        command += ["--nproc_per_node", str(processes), "-m", "tandem.train", spec_file]
        errors = Path(folder) / "stderr"
        # A file, not a pipe: nobody reads while they run, and a full pipe would stop them.
        with errors.open("wb") as stream:
            child = subprocess.Popen(
                command, env=_environment(processes, exit_file, micro_batch), stderr=stream
            )
        asked = False
        while True:
            try:
                # In short waits, between which it is looked whether a stop was asked for.
                code = child.wait(POLL_SECONDS)
                break
            except subprocess.TimeoutExpired:
                if stop.asked and not asked:
                    # Until there are trainers to hear it: torchrun may not have started one yet.
                    asked = _ask_trainers(child.pid)
        return _read_outcome(exit_file, errors, code)


def _read_outcome(exit_file: Path, errors: Path, code: int) -> ExitOutcome:
    if exit_file.is_file():
        outcome = ExitOutcome(**json.loads(exit_file.read_text(encoding="utf-8")))
        # A bare 1 says nothing of why: torchrun's own words are better then.
        if outcome.code != 1 or outcome.sentence:
            return outcome
    sys.stderr.write(errors.read_text(encoding="utf-8", errors="replace"))
    return ExitOutcome(1 if code else 0)


def _environment(processes: int, exit_file: Path, micro_batch: int) -> dict[str, str]:
    # Each process would else take every core, and all of them together wait for each other.
    threads = max(1, (os.cpu_count() or 1) // processes)
    return {
        "OMP_NUM_THREADS": str(threads),
        # After it: a number of threads that a person has set counts.
        **os.environ,
        "TANDEM_OUTCOME_FILE": str(exit_file),
        "TANDEM_MICRO_BATCH": str(micro_batch),
    }


def _ask_trainers(torchrun: int) -> bool:
    """Send SIGTERM to torchrun's own children; False while there are none yet."""
    try:
        trainers = psutil.Process(torchrun).children()
        for one in trainers:
            one.send_signal(signal.SIGTERM)
    except psutil.NoSuchProcess:
        # It has ended by itself: there is nobody left to ask.
        return True
    return bool(trainers)
