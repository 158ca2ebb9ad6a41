"""A checkpoint: a local folder, or a hub id of which only the files asked for are fetched."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tandem.spec.errors import TeacherError
from tandem.spec.i18n import t
from tandem.spec.plugins.sources import MODELSCOPE, is_hub_id
from tandem.train.pretrained import modelscope
from tandem.train.pretrained.header import read_header

SINGLE_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"
PICKLES = ("pytorch_model.bin", "pytorch_model.bin.index.json", "model.pt", "model.bin")
WHAT_IS_ALLOWED = (
    "a folder with config.json and *.safetensors",
    "a hub id such as owner/name",
    "modelscope:owner/name",
)


ConfigJson = dict[str, Any]
"""A config.json: every architecture has fields of its own."""


@dataclass(frozen=True)
class PretrainedCheckpoint:
    """`name` is what the user wrote; `folder` is None for a hub id."""

    name: str
    folder: Path | None

    @cached_property
    def raw_config(self) -> ConfigJson:
        """config.json, whoever wrote it; empty where there is none or it is no JSON object."""
        path = self.file("config.json")
        try:
            config = json.loads(path.read_text(encoding="utf-8")) if path else None
        except ValueError:
            config = None
        return config if isinstance(config, dict) else {}

    @property
    def config(self) -> ConfigJson:
        """config.json of a model that transformers knows; TeacherError when it is none."""
        config = self.raw_config
        if not isinstance(config.get("model_type"), str):
            raise TeacherError(
                "The teacher {name} is no model: it has no config.json with a model_type.",
                name=self.name,
                allowed=[t(one) for one in WHAT_IS_ALLOWED],
                fix="Point teacher.path at the folder that holds config.json.",
            )
        return config

    @property
    def model_type(self) -> str:
        """As config.json names it: `qwen2_5_vl`, `dinov2`, …"""
        return str(self.config["model_type"])

    @property
    def source(self) -> str:
        """What transformers' `from_pretrained` is given."""
        return str(self.folder) if self.folder is not None else self.name

    def file(self, name: str) -> Path | None:
        """One file's path, fetched when this is a hub id; None when the checkpoint lacks it."""
        if self.folder is None:
            return _from_hub(self.name, name)
        path = self.folder / name
        return path if path.is_file() else None

    @cached_property
    def tensor_files(self) -> dict[str, str]:
        """The file that holds each tensor; TeacherError unless the weights are safetensors."""
        index = self.file(INDEX_FILE)
        if index is not None:
            return dict(json.loads(index.read_text(encoding="utf-8"))["weight_map"])
        single = self.file(SINGLE_FILE)
        if single is None:
            self._refuse_weights()
        assert single is not None
        return dict.fromkeys(read_header(single, self.name), SINGLE_FILE)

    def _refuse_weights(self) -> None:
        if any(self.file(name) for name in PICKLES):
            raise TeacherError(
                "The teacher {name} has its weights as a pickle, which can run any code; "
                "only safetensors are read.",
                name=self.name,
                fix="Convert it on a machine you trust: load it with transformers' "
                "from_pretrained and call save_pretrained(folder).",
            )
        raise TeacherError(
            "The teacher {name} has no weights: neither {single} nor {index} is there.",
            name=self.name,
            single=SINGLE_FILE,
            index=INDEX_FILE,
            allowed=[t(one) for one in WHAT_IS_ALLOWED],
            fix="Copy the *.safetensors files into the folder, all of them.",
        )


def find(wanted: str | None) -> PretrainedCheckpoint:
    """A local folder, or a hub id (`owner/name`, `modelscope:owner/name`); TeacherError when it is
    neither. What ModelScope has is fetched here; Hugging Face's files one by one as they are asked
    for."""
    if not wanted:
        raise TeacherError(
            "No teacher is named.",
            allowed=[t(one) for one in WHAT_IS_ALLOWED],
            fix="Give teacher.path a value.",
        )
    path = Path(wanted).expanduser()
    if path.is_dir():
        return PretrainedCheckpoint(wanted, path)
    if path.exists():
        raise TeacherError(
            "The teacher {name} is a file, not a model's folder.",
            name=wanted,
            allowed=[t(one) for one in WHAT_IS_ALLOWED],
            fix="Point teacher.path at the folder that holds config.json.",
        )
    if wanted.startswith(MODELSCOPE) and is_hub_id(wanted):
        return PretrainedCheckpoint(wanted, modelscope.fetch(wanted))
    if is_hub_id(wanted):
        return PretrainedCheckpoint(wanted, None)
    raise TeacherError(
        "The teacher {name} is not there.",
        name=wanted,
        allowed=[t(one) for one in WHAT_IS_ALLOWED],
        fix="Check teacher.path, or set where this teacher lies in tandem.yaml.",
    )


def _from_hub(repo: str, name: str) -> Path | None:
    """From the hub's cache, or the hub itself when it is not offline."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RemoteEntryNotFoundError,
        RepositoryNotFoundError,
    )

    try:
        return Path(hf_hub_download(repo, name))
    except RemoteEntryNotFoundError:
        return None
    except GatedRepoError:
        raise TeacherError(
            "The hub lets nobody read {name} without asking first.",
            name=repo,
            fix="Accept its terms on the hub, and set HF_TOKEN; or give a local folder.",
        ) from None
    except RepositoryNotFoundError:
        raise TeacherError(
            "There is no teacher {name}, neither as a folder here nor on the hub.",
            name=repo,
            allowed=[t(one) for one in WHAT_IS_ALLOWED],
            fix="Check the spelling of teacher.path.",
        ) from None
    except (LocalEntryNotFoundError, OfflineModeIsEnabled, HfHubHTTPError):
        if name != "config.json" and _known_absent(repo):
            return None  # offline, and the rest of the checkpoint is in the cache
        raise TeacherError(
            "The teacher {name} is no folder here, it is not in the hub's cache, "
            "and the hub cannot be reached.",
            name=repo,
            allowed=[t(one) for one in WHAT_IS_ALLOWED],
            fix="Give teacher.path a folder, or fetch it where there is a network "
            "(hf download {name}) and copy the cache.",
        ) from None


def _known_absent(repo: str) -> bool:
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(repo, "config.json"), str)
