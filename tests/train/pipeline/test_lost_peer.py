"""A process that outlives another of its run says `lost`, not `code`: the run can go on."""

from __future__ import annotations

import pytest

from tandem.spec.errors import LostPeerError
from tandem.train.__main__ import named

GLOO = "[gloo/transport/tcp/pair.cc:561] Connection closed by peer [127.0.0.1]:7606. 🏖️"


class DistBackendError(RuntimeError):
    """As torch names what NCCL raises."""


@pytest.mark.parametrize("error", [RuntimeError(GLOO), DistBackendError("NCCL error")])
def test_a_lost_peer_is_told_from_a_fault_of_the_code(
    error: Exception, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("WORLD_SIZE", "2")
    known = named(error)
    assert isinstance(known, LostPeerError)
    assert (known.failure_class, known.exit_code) == ("lost", 1)


def test_other_errors_and_single_processes_are_not_meant(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert named(RuntimeError("shapes differ")) is None
    assert named(ConnectionResetError("connection reset by peer")) is None
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert named(RuntimeError(GLOO)) is None
