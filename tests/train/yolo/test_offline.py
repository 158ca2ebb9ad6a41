"""Ultralytics never reaches for the network, and is missed in one clear sentence."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.train.engines.runs import write
from tests.train.yolo.runs import spec_of

RUNS = """
import sys
calls = []
def watch(event, arguments):
    if event in ("socket.getaddrinfo", "socket.connect", "socket.gethostbyname", "socket.sendto"):
        # The loader's processes speak over sockets of the file system.
        if event != "socket.connect" or not isinstance(arguments[1], (str, bytes)):
            calls.append((event, str(arguments)))
sys.addaudithook(watch)

# First as where the extra is not installed.
import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "ultralytics" else found(name, *rest)
sys.modules["ultralytics"] = None
from tandem.train.registry import entries
facts = [entries(kind)["yolov8"].facts for kind in ("students", "teachers")]
from tandem.train.__main__ import main
without = main([sys.argv[1]])
importlib.util.find_spec = found
assert sys.modules.pop("ultralytics") is None

code = main([sys.argv[1]])
import torch
from pathlib import Path
from tandem.train.export import final_model
from tandem.train.detection.boxes import suppress
out = Path(sys.argv[2])
student, _ = final_model.load(out / "final_model")
with torch.no_grad():
    suppress(student(torch.rand(1, 3, 64, 64)).boxes_BCA)
exported = ""
try:
    torch.onnx.export(student.net, torch.rand(1, 3, 64, 64), str(out / "m.onnx"), dynamo=False)
except Exception as error:
    exported = repr(error)
import json
said = {"without": without, "code": code, "calls": calls, "exported": exported}
licences = [[one["licence"], one["needs_extra"]] for one in facts]
print(json.dumps({**said, "facts": licences}))
"""


def test_without_the_extra_it_says_how_to_add_it_and_with_it_nothing_is_connected(
    half_drawn: Path, tmp_path: Path
) -> None:
    """In one process of its own: nothing else may have imported Ultralytics before."""
    out = tmp_path / "run"
    file = write(spec_of(half_drawn, out, optim__epochs=1, yolo__mosaic=1.0), tmp_path)
    home = tmp_path / "home"
    home.mkdir()
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("YOLO_")
    } | {"HOME": str(home), "XDG_CONFIG_HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", RUNS, str(file), str(out)],
        capture_output=True, text=True, env=environment, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = done.stdout.strip().splitlines()
    said = json.loads(lines[-1])
    assert said.pop("facts") == [["AGPL-3.0", "yolo"]] * 2
    assert said == {"without": 2, "code": 0, "calls": [], "exported": ""}
    assert not any(line.startswith(("Ultralytics", "Validating")) for line in lines)
    assert not [path for path in home.rglob("*") if "ltralytics" in path.name]
    refused = next(line for line in done.stderr.splitlines() if "AGPL-3.0" in line)
    assert "pip install 'tandem-distill[yolo]'" in refused
    assert "Traceback" not in done.stderr
