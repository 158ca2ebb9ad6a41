"""A TANDEM_HOME as files of the repository, and back.

Both homes' paths have one length: a data base knows places in a journal by their bytes, and the
journal has paths in it.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import socket
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

import onnx
import torch

from tests.compat import formula

MADE = Path(__file__).with_name("made_by_7fb42ae")
TOKEN, HOST = "/tmp/tandem-7fb42ae0", "made-here"  # noqa: S108  a word for the real one
AT = 1_790_000_000
"""When every file was changed last."""
SEEN = MADE / "seen.json.gz"
WARM = {"resnet": 0, "interrupted": 4}
"""Runs whose cache is full, and how many of it are verified."""
DATABASE, SQL, FORMULA = "tandem.db", "tandem.sql", "formula.json.gz"
LEFT_OUT = ("cache/fingerprints", "cache/index")
"""Known by a path and a time: none of them can be moved."""
MODEL_ALONE = ("runs/vit/", "runs/clips/", "runs/masks/")
KEPT = ("config.json", "model.safetensors")
"""Of these runs, whose other files would tell nothing that another run's do not."""
RAW = {".npy", ".png", ".gz"}
TEXTS = {
    ".json",
    ".jsonl",
    ".txt",
    ".md",
    ".yaml",
    ".csv",
    ".log",
    ".sql",
    ".cursor",
    ".exit",
    ".pid",
}


def empty() -> Path:
    """A new folder whose path is as long as every other's."""
    made = Path(tempfile.mkdtemp(prefix="tandem-", dir="/tmp"))  # noqa: S108
    assert len(str(made)) == len(TOKEN)
    return made


def pack(home: Path, images: dict[str, Any]) -> None:
    """Write `home` down; `images` are its PNG files by what `formula.image` takes."""
    said: dict[str, Any] = {"images": images, "safetensors": {}, "state": {}, "onnx": {}}
    for file in sorted(home.rglob("*")):
        name = str(file.relative_to(home))
        if not file.is_file() or file.is_symlink() or _left_out(name) or name in images:
            continue
        if file.suffix == ".safetensors":
            said["safetensors"][name] = formula.read_safetensors(file)
        elif file.name == "state.pt":
            loaded = torch.load(file, map_location="cpu", weights_only=True)
            said["state"][name] = formula.read_state(loaded)
        elif file.suffix == ".onnx":
            said["onnx"][name] = _strip(file)
        elif file.name == DATABASE:
            _dump(file, home, MADE / SQL)
        elif file.parent.parent.name == "checkpoints" and file.name == "manifest.json":
            continue
        else:
            target = MADE / "home" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            raw = file.read_bytes()
            if file.suffix in RAW:
                target.write_bytes(raw)
            else:
                assert file.suffix in TEXTS, f"{name} is of no kind that is kept"
                target.write_text(_named(raw.decode(), home), encoding="utf-8")
    tables = said["safetensors"]
    for name, kept in tables.items():
        same = next(one for one in tables if tables[one] == kept)
        if same != name:
            tables[name] = same
    write(MADE / FORMULA, said)


def write(file: Path, tables: dict[str, dict[str, Any]]) -> None:
    """Packed JSON; `zcat` shows it with a line for each entry."""
    parts = []
    for key, table in tables.items():
        rows = [f" {json.dumps(k)}: {json.dumps(v, ensure_ascii=False)}" for k, v in table.items()]
        parts.append(f'"{key}": {{\n' + ",\n".join(rows) + "\n}")
    text = "{\n" + ",\n".join(parts) + "\n}\n"
    file.write_bytes(gzip.compress(text.encode(), mtime=0))


def read(file: Path) -> dict[str, Any]:
    """What `write` wrote."""
    return dict(json.loads(gzip.decompress(file.read_bytes())))


def _left_out(name: str) -> bool:
    parts = Path(name).parts
    return (
        name.startswith(LEFT_OUT)
        or any(part.startswith(".") for part in parts)
        or name.startswith(f"{DATABASE}-")
        or parts[-1] in ("access_token", "stderr.txt")
        or (name.startswith(MODEL_ALONE) and parts[-1] not in KEPT)
        or (name.startswith("runs/detection/") and parts[-1] not in (*KEPT, "report.json"))
        or (parts[0] == "given" and Path(name).stem not in WARM)
    )


def _named(text: str, home: Path) -> str:
    return text.replace(str(home), TOKEN).replace(socket.gethostname(), HOST)


def _dump(file: Path, home: Path, target: Path) -> None:
    with sqlite3.connect(file) as connection:
        lines = list(connection.iterdump())
    target.write_text(_named("\n".join(lines), home) + "\n", encoding="utf-8")


def _strip(file: Path) -> dict[str, Any]:
    """The graph without its numbers."""
    model = onnx.load(file)
    kept = {}
    for one in model.graph.initializer:
        array = onnx.numpy_helper.to_array(one)
        kept[one.name] = formula.rule(one.name, "I64" if array.dtype.kind == "i" else "F32", array)
        one.ClearField("raw_data")
    return {"graph": base64.b64encode(model.SerializeToString()).decode(), "tensors": kept}


def unpack(home: Path, *weights: str) -> None:
    """What `pack` wrote down, with every number in its place; or only the weights below these."""
    said = read(MADE / FORMULA)
    for file in sorted((MADE / "home").rglob("*")):
        if file.is_file():
            target = home / file.relative_to(MADE / "home")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes().replace(TOKEN.encode(), str(home).encode()))
    for name, drawn in said["images"].items():
        formula.image(home / name, *drawn)
    for name, kept in said["safetensors"].items():
        if weights and not name.startswith(weights):
            continue
        kept = said["safetensors"][kept] if isinstance(kept, str) else kept
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        formula.write_safetensors(home / name, kept)
    for name, kept in said["onnx"].items():
        fill_onnx(home / name, kept)
    for name, kept in said["state"].items():
        if weights and not name.startswith(weights):
            continue
        torch.save(formula.state(kept), home / name)
        formula.seal((home / name).parent)
    if (MADE / SQL).is_file():
        script = (MADE / SQL).read_text(encoding="utf-8").replace(TOKEN, str(home))
        with sqlite3.connect(home / DATABASE) as connection:
            connection.executescript(script)
        connection.close()
    settle(home)


def fill_onnx(file: Path, kept: dict[str, Any]) -> None:
    """The graph with its numbers."""
    model = onnx.load_from_string(base64.b64decode(kept["graph"]))
    for one in model.graph.initializer:
        one.raw_data = formula.numbers(one.name, kept["tensors"][one.name]).tobytes()
    file.write_bytes(model.SerializeToString(deterministic=True))


def settle(home: Path) -> None:
    """One time of change for all: answers tell of it."""
    for path in sorted(home.rglob("*")):
        if not path.is_symlink():
            os.utime(path, (AT, AT))
