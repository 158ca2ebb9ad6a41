"""Where models are fetched from that are not on this machine."""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING

from tandem.config.keys import Value, describe_origin
from tandem.spec.errors import SpecError

if TYPE_CHECKING:
    from tandem.config.settings import Settings

HUBS = ("huggingface", "modelscope")
ENDPOINT = "HF_ENDPOINT"
"""Hugging Face's own variable for the address of a mirror."""


def hub(value: Value, env: Mapping[str, str]) -> Value:
    """The setting `hub`; where it is not said, what HF_ENDPOINT says. SpecError on another name."""
    if value.origin == "default" and env.get(ENDPOINT):
        value = Value(env[ENDPOINT], f"environment {ENDPOINT}")
    text = value.text or ""
    if text not in HUBS and not text.startswith(("https://", "http://")):
        raise SpecError(
            "The setting {name} must name a hub or the address of a mirror.",
            name="hub",
            got=f"{text} ({describe_origin(value.origin)})",
            allowed=[*HUBS, "https://…"],
        )
    return Value(text.rstrip("/"), value.origin)


def use_hub(settings: Settings, env: MutableMapping[str, str] | None = None) -> None:
    """Have Hugging Face's library, here and in processes started from here, ask the mirror.

    Called before that library is imported: it reads its address then.
    """
    text = settings.text("hub") or ""
    if text not in HUBS:
        (os.environ if env is None else env)[ENDPOINT] = text
