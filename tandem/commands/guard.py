"""The boundary of a command: an error of ours is one line and an exit code, never a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from io import TextIOWrapper

from tandem.spec.errors import TandemError
from tandem.spec.os_errors import Translated, known_error


def guarded(run: Callable[[], object]) -> int:
    """Run it and return the exit code of the contract; other exceptions pass."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a GBK or ASCII terminal spells out what it lacks
            stream.reconfigure(errors="backslashreplace")
    try:
        # What a full disk or the name of a file has brought about is one of ours from here on.
        with Translated(known_error):
            outcome = run()
            sys.stdout.flush()
    except TandemError as error:
        print(error.sentence(), file=sys.stderr)
        return error.exit_code
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `tandem … | head`: the reader has left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return outcome if isinstance(outcome, int) else 0
