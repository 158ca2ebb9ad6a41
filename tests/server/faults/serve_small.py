"""`tandem serve`, whole, but its runs are those of `small_trainer.py`.

The second argument may name a file that holds seconds: the wall clock is off by them.
"""

import sys
from datetime import datetime, timedelta
from pathlib import Path

from tandem.commands.guard import guarded
from tandem.executors.local import LocalExecutor
from tandem.server.host import clock
from tandem.server.http.serve import serve

TRAINER = (sys.executable, str(Path(__file__).with_name("small_trainer.py")))


class Shifted(datetime):
    """A clock that somebody sets."""

    @classmethod
    def now(cls, tz=None):
        file = Path(sys.argv[2])
        shift = float(file.read_text()) if file.exists() else 0.0
        return datetime.now(tz) + timedelta(seconds=shift)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        clock.datetime = Shifted
    executor = LocalExecutor(command=TRAINER)
    sys.exit(guarded(lambda: serve("127.0.0.1", int(sys.argv[1]), executor=executor)))
