"""A full disk and an unusable name are told from all else, whichever library met them."""

from __future__ import annotations

import errno
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tandem.spec.errors import DataError, DiskFullError, OutputFolderError
from tandem.spec.os_errors import is_disk_full, known_error, unusable_path, writing

WORDS = [
    "[enforce fail at inline_container.cc:603] . unexpected pos 4096 vs 3986",
    "[enforce fail at inline_container.cc:783] . PytorchStreamWriter failed writing file "
    "data/0: file write failed",
    "Error while serializing: I/O error: No space left on device (os error 28)",
    "database or disk is full",
    'could not extend file "base/1/2": No space left on device',
]


@pytest.mark.parametrize("words", WORDS)
def test_the_words_of_libraries(words: str):
    assert is_disk_full(RuntimeError(words))
    known = known_error(RuntimeError(words))
    assert isinstance(known, DiskFullError)
    assert "inline_container" not in known.sentence()
    assert "The disk is full" in known.sentence()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_the_numbers_of_the_system(number: int):
    error = OSError(number, os.strerror(number), "/data/a.bin")
    assert "/data/a.bin" in str(known_error(error))


@pytest.mark.parametrize(
    "error",
    [
        PermissionError(errno.EACCES, "No space left on device"),
        RuntimeError("[enforce fail at inline_container.cc:145] . file not found"),
        DataError("The file {file} is broken.", file="No space left on device.png"),
        sqlite3.OperationalError("database is locked"),
    ],
)
def test_other_failures_are_no_full_disk(error: Exception):
    assert not is_disk_full(error)


def test_what_was_wrapped_is_found():
    """A part that tells of its own trouble, and one that fails again as it cleans up."""
    full = OSError(errno.ENOSPC, "No space left on device", "/x")
    wrapped = OutputFolderError("The output folder {path} cannot be written.", path="/x")
    wrapped.__cause__ = full
    assert isinstance(known_error(wrapped), DiskFullError)
    again = RuntimeError("the archive was not closed")
    again.__context__ = full
    assert isinstance(known_error(again), DiskFullError)


LIMITED = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from tandem.spec.errors import DiskFullError
from tandem.spec.os_errors import writing
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
target = Path(sys.argv[1]) / "out"

def torch_save():
    import torch
    torch.save({"a": torch.zeros(200_000), "b": torch.zeros(200_000)}, target)

def torch_cut():
    # What the writer's own end says when an error of before was swallowed.
    import torch
    with torch.serialization._open_zipfile_writer_file(str(target)) as out:
        try:
            out.write_record("a", torch.zeros(200_000).untyped_storage(), 800_000)
        except RuntimeError:
            pass

def safetensors():
    import torch
    from safetensors.torch import save_file
    save_file({"a": torch.zeros(200_000)}, target)

def onnx():
    import onnx
    values = onnx.numpy_helper.from_array(np.zeros(200_000, np.float32), "a")
    graph = onnx.helper.make_graph([], "g", [], [], [values])
    onnx.save_model(onnx.helper.make_model(graph), str(target))

def sqlite():
    import sqlite3
    with sqlite3.connect(target) as base:
        # A limit on a file is an I/O error to SQLite; one on its pages, a full disk.
        base.execute("pragma max_page_count = 20")
        base.execute("create table a (b blob)")
        base.execute("insert into a values (zeroblob(800000))")

def numpy():
    np.savez(target, a=np.zeros(200_000))

def pillow():
    from PIL import Image
    noise = np.random.default_rng(0).integers(0, 255, (500, 500, 3), dtype=np.uint8)
    Image.fromarray(noise).save(target, "PNG")

import torch, onnx as _onnx
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    with writing(target):
        globals()[sys.argv[2]]()
except DiskFullError as error:
    print(error)
"""


@pytest.mark.parametrize(
    "writer", ["torch_save", "torch_cut", "safetensors", "onnx", "sqlite", "numpy", "pillow"]
)
def test_every_library_that_writes(tmp_path: Path, writer: str):
    command = [sys.executable, "-c", LIMITED, str(tmp_path), writer]
    told = subprocess.run(command, capture_output=True, text=True)
    assert told.stdout.startswith(f"The disk is full: {tmp_path / 'out'} could"), told.stderr


def test_a_name_that_no_file_can_have(tmp_path: Path):
    (tmp_path / "file").touch()
    (tmp_path / "round").symlink_to(tmp_path / "round")
    for path in (tmp_path / ("x" * 300), tmp_path / "file" / "x", tmp_path / "round" / "x"):
        with pytest.raises(OSError, match=r"\[Errno") as met:
            path.open()
        said = str(unusable_path(met.value))
        assert said.startswith("The path ")
        assert "cannot be used" in said
    assert unusable_path(FileNotFoundError(errno.ENOENT, "gone", "x")) is None


def test_other_failures_pass_through(tmp_path: Path):
    with pytest.raises(ZeroDivisionError), writing(tmp_path):
        raise ZeroDivisionError
