"""YOLOX needs nothing of Ultralytics and nothing of OpenCV: both are blocked in a process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.train.detection.runs import spec_of
from tests.train.engines.runs import write

BLOCKED = """
import importlib.util, json, sys
from pathlib import Path
found = importlib.util.find_spec
gone = ("ultralytics", "cv2")
importlib.util.find_spec = lambda name, *rest: None if name in gone else found(name, *rest)
for name in gone:
    sys.modules[name] = None
from tandem.train.__main__ import main
code = main([sys.argv[1]])
import tandem
image = sorted(Path(sys.argv[3], "images", "val").iterdir())[0]
tandem.load(sys.argv[2]).predict([image])
loaded = [name for name in sys.modules if name.split(".")[0] in gone and sys.modules[name]]
print(json.dumps({"code": code, "loaded": loaded}))
"""


def test_a_run_and_a_prediction_import_nothing_of_the_extra(drawn: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    file = write(spec_of(drawn, out, optim__epochs=1, optim__warmup_epochs=0.0), tmp_path)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", BLOCKED, str(file), str(out), str(drawn)],
        capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.strip().splitlines()[-1]) == {"code": 0, "loaded": []}
