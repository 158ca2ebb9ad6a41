"""`tandem serve`, whole, but its runs are those of `small_trainer.py`."""

import sys
from pathlib import Path

from tandem.commands.guard import guarded
from tandem.executors.local import LocalExecutor
from tandem.server.serve import serve

TRAINER = (sys.executable, str(Path(__file__).with_name("small_trainer.py")))

if __name__ == "__main__":
    sys.exit(guarded(lambda: serve("127.0.0.1", int(sys.argv[1]), executor=LocalExecutor(TRAINER))))
