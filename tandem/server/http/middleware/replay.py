"""A body that was read ahead, given to the application as if it came now."""

from __future__ import annotations

from starlette.types import Message, Receive


def replayed(messages: list[Message], receive: Receive) -> Receive:
    """`messages` first, then what comes."""
    # What comes after the body is heard from the client itself: that it has gone.
    left = iter(messages)

    async def receiving() -> Message:
        for message in left:
            return message
        return await receive()

    return receiving
