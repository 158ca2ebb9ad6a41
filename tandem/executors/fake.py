"""An executor without processes, for tests of whoever uses one: what it is told, it plays."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tandem.executors.base import Handle, Launch, LaunchError, RunStatus


class FakeExecutor:
    """Launched runs are alive until `end` is called, or they are killed."""

    name = "fake"

    def __init__(self) -> None:
        self.launched: list[Launch] = []
        self.ended: dict[str, int | None] = {}
        self.asked: list[str] = []
        self.killed: list[str] = []
        self.vanished: set[str] = set()
        self.refuses: LaunchError | None = None
        """Raised by the next launches."""
        self._tokens: dict[str, str] = {}
        self._sealed: set[Path] = set()

    def launch(self, launch: Launch) -> Handle:
        if self.refuses is not None:
            raise self.refuses
        handle = self._handle(launch)
        self.launched.append(launch)
        self._tokens[handle.id] = hashlib.sha256(launch.token.encode()).hexdigest()
        if launch.spec_file in self._sealed:
            self.vanished.add(handle.id)
        return handle

    def status(self, handle: Handle, token_hash: str) -> RunStatus:
        if not self._knows(handle, token_hash):
            return RunStatus("gone")
        if handle.id in self.ended:
            return RunStatus("ended", self.ended[handle.id])
        return RunStatus("alive")

    def find(self, spec_file: Path, token_hash: str) -> Handle | None:
        for launch in self.launched:
            handle = self._handle(launch)
            if launch.spec_file == spec_file and self._tokens[handle.id] == token_hash:
                return handle
        self._sealed.add(spec_file)
        return None

    def stop(self, handle: Handle, token_hash: str) -> None:
        if self.status(handle, token_hash).state == "alive":
            self.asked.append(handle.id)

    def kill(self, handle: Handle, token_hash: str) -> None:
        if self.status(handle, token_hash).state == "alive":
            self.killed.append(handle.id)
            self.ended[handle.id] = -9

    def end(self, handle_id: str, exit_code: int | None = 0) -> None:
        """The run's process ends now."""
        self.ended[handle_id] = exit_code

    def vanish(self, handle_id: str) -> None:
        """Nothing of it is there any more, and nothing says how it ended."""
        self.vanished.add(handle_id)

    def _handle(self, launch: Launch) -> Handle:
        return Handle(executor=self.name, id=f"{launch.task_id}-{launch.attempt}")

    def _knows(self, handle: Handle, token_hash: str) -> bool:
        return handle.id not in self.vanished and self._tokens.get(handle.id) == token_hash
