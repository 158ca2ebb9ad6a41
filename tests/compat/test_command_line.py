"""Every command and flag of 7fb42ae is there."""

from __future__ import annotations

from tests.compat import seen as ask


def test_every_command_has_the_flags_that_it_had(tmp_path, seen):
    assert len(seen["flags"]) == 43
    lost = {
        command: sorted(set(flags) - set(ask.flags(tmp_path, command)))
        for command, flags in seen["flags"].items()
    }
    assert {command: gone for command, gone in lost.items() if gone} == {}
