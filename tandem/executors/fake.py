"""An executor without processes, for tests of whoever uses one: what it is told, it plays."""

from __future__ import annotations

from tandem.executors.base import Handle, Launch, Status


class FakeExecutor:
    """Launched runs are alive until `end` is called, or they are killed."""

    name = "fake"

    def __init__(self) -> None:
        self.launched: list[Launch] = []
        self.ended: dict[str, int | None] = {}
        self.asked: list[str] = []

    def launch(self, launch: Launch) -> Handle:
        self.launched.append(launch)
        return Handle(executor=self.name, id=f"{launch.task_id}-{launch.attempt}")

    def status(self, handle: Handle, token_hash: str) -> Status:  # noqa: ARG002
        if handle.id in self.ended:
            return Status("ended", self.ended[handle.id])
        return Status("alive")

    def stop(self, handle: Handle, token_hash: str) -> None:  # noqa: ARG002
        self.asked.append(handle.id)

    def kill(self, handle: Handle, token_hash: str) -> None:  # noqa: ARG002
        self.ended[handle.id] = -9

    def end(self, handle_id: str, exit_code: int | None = 0) -> None:
        """The run's process ends now."""
        self.ended[handle_id] = exit_code
