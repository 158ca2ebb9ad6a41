"""Ultralytics never reaches for the network, and is missed in one clear sentence."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.train.engine.runs import write
from tests.train.yolo.runs import spec_of

WATCH = """
import sys
calls = []
def watch(event, arguments):
    if event in ("socket.getaddrinfo", "socket.connect", "socket.gethostbyname", "socket.sendto"):
        # The loader's processes speak over sockets of the file system.
        if event != "socket.connect" or not isinstance(arguments[1], (str, bytes)):
            calls.append((event, str(arguments)))
sys.addaudithook(watch)
from tandem.train.__main__ import main
code = main([sys.argv[1]])
import torch
from tandem.train import final_model
from tandem.train.yolo.boxes import suppress
student, _ = final_model.load(__import__("pathlib").Path(sys.argv[2]) / "final_model")
with torch.no_grad():
    suppress(student(torch.rand(1, 3, 64, 64)).boxes_BCA)
from tandem.train import export
exported = ""
try:
    torch.onnx.export(student.net, torch.rand(1, 3, 64, 64), sys.argv[2] + "/m.onnx", dynamo=False)
except Exception as error:
    exported = repr(error)
import json
print(json.dumps({"code": code, "calls": calls, "exported": exported}))
"""


def test_no_name_is_looked_up_and_nothing_connected(half_drawn: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    file = write(spec_of(half_drawn, out, optim__epochs=1, yolo__mosaic=1.0), tmp_path)
    home = tmp_path / "home"
    home.mkdir()
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("YOLO_")
    } | {"HOME": str(home), "XDG_CONFIG_HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", WATCH, str(file), str(out)],
        capture_output=True, text=True, env=environment, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = done.stdout.strip().splitlines()
    said = json.loads(lines[-1])
    assert said == {"code": 0, "calls": [], "exported": ""}
    assert not any(line.startswith(("Ultralytics", "Validating")) for line in lines)
    assert not [path for path in home.rglob("*") if "ltralytics" in path.name]


WITHOUT = """
import sys
import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "ultralytics" else found(name, *rest)
sys.modules["ultralytics"] = None
from tandem.train.registry import entries
assert entries("students")["yolov8"].facts["licence"] == "AGPL-3.0"
assert entries("students")["yolov8"].facts["needs_extra"] == "yolo"
assert entries("teachers")["yolov8"].facts["licence"] == "AGPL-3.0"
from tandem.train.__main__ import main
sys.exit(main([sys.argv[1]]))
"""


@pytest.mark.parametrize("mode", ["direct"])
def test_without_the_extra_the_choice_says_how_to_add_it(
    half_drawn: Path, tmp_path: Path, mode: str
) -> None:
    file = write(spec_of(half_drawn, tmp_path / "run", mode=mode), tmp_path)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", WITHOUT, str(file)],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert "AGPL-3.0" in last
    assert "pip install 'tandem-distill[yolo]'" in last
    assert "Traceback" not in done.stderr
