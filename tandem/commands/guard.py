"""The boundary of a command: an error of ours is one line and an exit code, never a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from io import TextIOWrapper

from tandem.spec.os_errors import known_error


def guarded(run: Callable[[], object]) -> int:
    """Run it and return the exit code of the contract; other exceptions pass."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a GBK or ASCII terminal spells out what it lacks
            stream.reconfigure(errors="backslashreplace")
    try:
        outcome = run()
        sys.stdout.flush()
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `tandem … | head`: the reader has left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception as error:  # noqa: BLE001  what the disk and the names of files bring about
        if (known := known_error(error)) is None:
            raise
        print(known.sentence(), file=sys.stderr)
        return known.exit_code
    return outcome if isinstance(outcome, int) else 0
