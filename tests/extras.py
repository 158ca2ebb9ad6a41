"""Extras that a test needs."""

from __future__ import annotations

import pytest

from tandem.train.yolo import offline


def needs_ultralytics() -> None:
    """Skip the test where the extra is not installed; else import it as the trainer does.

    A bare import would leave its own `open` in Pillow, for every later test of the process.
    """
    if not offline.installed():
        pytest.skip("the extra yolo is not installed")
    offline.prepare()
