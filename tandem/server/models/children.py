"""What a process that loads a model for the service is given: no GPU, and no secret."""

from __future__ import annotations

import os
from pathlib import Path

from tandem.executors.local import without_secrets


def environment(home: Path, language: str, *, gpu: bool = False) -> dict[str, str]:
    """The GPUs are leased to trainings by the dispatcher, which knows nothing of these."""
    told = {"TANDEM_HOME": str(home), "TANDEM_LANG": language, "PYTHONUNBUFFERED": "1"}
    kept = without_secrets(os.environ) | told
    return kept if gpu else kept | {"CUDA_VISIBLE_DEVICES": ""}
