"""The live streams of this server: who listens to which task, and what they have yet to hear."""

from __future__ import annotations


class Hub:
    """Made with the context; runs in the server's event loop."""

    def poke(self) -> None:
        """Something is new; from any thread."""
