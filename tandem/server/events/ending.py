"""A server that ends its event streams when it is asked to end, instead of waiting for them."""

from __future__ import annotations

from types import FrameType

import uvicorn

from tandem.server.events.hub import Hub


class EndingServer(uvicorn.Server):
    """uvicorn waits for open answers before the lifespan ends; a stream is open for ever."""

    def __init__(self, config: uvicorn.Config, hub: Hub) -> None:
        super().__init__(config)
        self._hub = hub

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._hub.close()
        super().handle_exit(sig, frame)
