"""A service to report to, and a sink that waits only for moments."""

import pytest

from tandem.train.sinks import http

from .recorder import Recorder


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setenv("TANDEM_LANG", "en")
    monkeypatch.delenv("TANDEM_RUN_TOKEN", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(http, "BACKOFF_SECONDS", (0.05, 0.1))
    monkeypatch.setattr(http, "LAST_BACKOFF_SECONDS", 0.05)


@pytest.fixture
def service():
    recorder = Recorder().up()
    yield recorder
    recorder.down()
