"""Stands for the trainer: says that it is ready, ends as a file tells it, notes SIGTERM."""
# ruff: noqa: PTH103,PTH105,PTH110,PTH123

import json
import os
import signal
import sys
import time

with open(sys.argv[1]) as stream:
    spec = json.load(stream)
folder = spec["folder"]


def note(name, text=""):
    # Named by the moment: a second SIGTERM may come in the midst of the first one's note.
    hidden = f"{folder}/{name}.{time.monotonic_ns()}"
    with open(hidden, "w") as stream:
        stream.write(text)
    os.replace(hidden, f"{folder}/{name}")


signal.signal(signal.SIGTERM, lambda *_: note("asked"))
note("environment", json.dumps(dict(os.environ)))
print("a word on stderr", file=sys.stderr, flush=True)
if spec.get("child"):
    child = os.fork()
    if child == 0:
        os.setsid()
        while True:
            time.sleep(1)
    note("child", str(child))
note("ready", str(os.getpid()))
while not os.path.exists(f"{folder}/end"):
    if os.path.exists(f"{folder}/asked") and not spec.get("deaf"):
        sys.exit(75)
    time.sleep(0.01)
with open(f"{folder}/end") as stream:
    code = int(stream.read())
if code < 0:
    os.kill(os.getpid(), -code)
sys.exit(code)
