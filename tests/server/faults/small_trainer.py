"""A run without torch: speaks, saves, stops and resumes as the trainer does, but learns nothing.

For tests of the service around it, where the seconds of importing torch would be all they take. It
reads its pace from `loss.options.pace` of the spec: epoch_seconds, start_seconds, save_seconds,
metrics (a step each), deaf (1: does not hear SIGTERM), held (it waits after so many epochs until
`let_go` lets it go on): a test that needs a run to be alive does not race against its end.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from tandem.spec.event import EVENT
from tandem.spec.journal import whole_lines
from tandem.train.sinks.journal import Journal

GO = "go"


class SmallTrainer:
    def __init__(self, spec: dict[str, Any]) -> None:
        self.spec = spec
        self.folder = Path(spec["run"]["output_dir"])
        self.folder.mkdir(parents=True, exist_ok=True)
        self.lock = FileLock(str(self.folder / ".lock"))
        self.pace = spec["loss"]["options"].get("pace", {})
        self.asked = False

    def run(self) -> int:
        signal.signal(signal.SIGTERM, self._hear)
        time.sleep(self.pace.get("start_seconds", 0))
        self.lock.acquire(timeout=0)  # two of one run at once end here, loudly
        self.journal = Journal(self.folder)
        self.attempt = self.journal.attempts + 1
        done = self._epochs_saved()
        total = self.spec["optim"]["epochs"]
        self.emit(
            "started", total_epochs=total, device="cpu", processes=1, pid=os.getpid(),
            resumed_from_epoch=done or None,
        )  # fmt: skip
        for epoch in range(done + 1, total + 1):
            while not self._may_begin(epoch) and not self.asked:
                time.sleep(0.02)
            if self.asked or not self._epoch(epoch, total):
                return self._stop(epoch - 1)
        final = self.folder / "final_model"
        final.mkdir(exist_ok=True)
        (final / "config.json").write_text("{}")
        self.emit("artifact", name="final_model", path=str(final), size_bytes=2)
        self.emit("finished", seconds=1.0, metrics={"accuracy": 0.9})
        return 0

    def _may_begin(self, epoch: int) -> bool:
        held = self.pace.get("held")
        if not held or epoch <= held:
            return True
        go = self.folder / GO
        return go.exists() and epoch <= int(go.read_text() or epoch)

    def _epoch(self, epoch: int, total: int) -> bool:
        steps = int(self.pace.get("metrics", 1))
        for step in range(steps):
            until = time.monotonic() + self.pace.get("epoch_seconds", 0.02) / steps
            while time.monotonic() < until:
                if self.asked:
                    return False
                time.sleep(0.01)
            self.emit(
                "metric", epoch=epoch, step=(epoch - 1) * steps + step + 1,
                total_steps=total * steps, values={"loss": 1 / epoch},
            )  # fmt: skip
        self.emit(
            "epoch", epoch=epoch, total_epochs=total, train_loss=1 / epoch, terms={"hard": 0.5},
            val_accuracy=min(0.99, epoch / 100), learning_rate=1e-3, seconds=0.1,
            images_per_second=10.0,
        )  # fmt: skip
        self._save(epoch)
        return True

    def _stop(self, epoch: int) -> int:
        time.sleep(self.pace.get("save_seconds", 0))
        self._save(epoch)
        path = str(self.folder / "checkpoints" / f"epoch-{epoch:06d}")
        self.emit("stopped", epoch=epoch, step=epoch, checkpoint=path)
        return 75

    def _save(self, epoch: int) -> None:
        hidden = self.folder / ".saved"
        hidden.write_text(str(epoch))
        hidden.replace(self.folder / "saved")

    def _epochs_saved(self) -> int:
        file = self.folder / "saved"
        return int(file.read_text()) if file.exists() else 0

    def emit(self, type: str, **fields: Any) -> None:
        self.journal.append(
            EVENT.validate_python(
                {
                    "type": type,
                    "seq": self.journal.last_seq + 1,
                    "at": datetime.now(UTC),
                    "task_id": self.spec["task_id"],
                    "attempt": self.attempt,
                    **fields,
                }
            )
        )

    def _hear(self, *_: object) -> None:
        self.asked = not self.pace.get("deaf", 0)


def let_go(folder: Path, until: int | None = None) -> None:
    """The run there may go on to its end, or to the end of epoch `until`."""
    made = folder / f".{GO}"
    made.write_text("" if until is None else str(until))
    made.replace(folder / GO)


def journal_epochs(folder: Path) -> list[int]:
    """The epochs in a run's journal, as often as they were said."""
    file = folder / "events.jsonl"
    if not file.exists():
        return []
    return [line.body["epoch"] for line in whole_lines(file) if line.type == "epoch"]


if __name__ == "__main__":
    sys.exit(SmallTrainer(json.loads(Path(sys.argv[1]).read_text())).run())
