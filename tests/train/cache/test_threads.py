"""Asking the teacher leaves the number of threads that the student computes with as it was."""

import os
import subprocess
import sys

CODE = """
import threading, torch
from tandem.train.cache.teacher_calls import Renderer
with Renderer(None, None, 8, 1) as renderer:
    renderer.pool.submit(int).result()
told = []
other = threading.Thread(target=lambda: told.append(torch.get_num_threads()))
other.start(); other.join()
print(torch.get_num_threads(), *told)
"""


def test_the_decoders_one_thread_is_theirs_alone():
    # A process of its own: the first thread to compute in a process settles it.
    told = subprocess.run(
        [sys.executable, "-c", CODE],
        env={**os.environ, "OMP_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.split() == ["2", "2"]
