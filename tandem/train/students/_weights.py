"""Weights by name, from a file, a folder, a hub or torchvision: only tensors are ever read."""

from __future__ import annotations

import json
import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
)
from safetensors import SafetensorError
from timm.models import load_state_dict, load_state_dict_from_hf
from torch import Tensor

from tandem.spec.errors import StudentError
from tandem.spec.plugins.sources import (
    FILE_SUFFIXES,
    HUGGINGFACE,
    MODELSCOPE,
    OWNERS,
    TORCHVISION,
    ULTRALYTICS,
    ULTRALYTICS_REPO,
    huggingface_id,
    is_hub_id,
)
from tandem.train.pretrained import modelscope

WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin", "model.pth", "weights.safetensors")
_IN_TORCHVISION = re.compile(r"(?:unet-)?(resnet\d+)|lstm-\w+|vit-(base|large)")


def read_weights(path: str, size: str) -> tuple[dict[str, Tensor], dict[str, object]]:
    """The weights by name, and how their pictures were normalised (`mean`, `std`; may be empty).

    Only tensors are read: safetensors, or `torch.load(weights_only=True)`. A path that does not
    exist locally may name a source: `torchvision` (the weights of `size`), `huggingface/<name>`,
    `modelscope:owner/name`, or a hub id, `owner/name` or `hf_hub:owner/name`.
    """
    local = Path(path).expanduser()
    if not local.exists():
        if path == TORCHVISION:
            local = torchvision_file(size)
        elif path.startswith(MODELSCOPE) and is_hub_id(path):
            local = modelscope.fetch(path)
    if local.is_dir():
        return _read_file(_weights_in(local)), _pixels(_json_in(local))
    if local.is_file():
        return _read_file(local), _pixels(_json_in(local.parent))
    return _read_hub(_hub_id(path))


def place_of(path: str) -> str:
    """A file or folder of this machine, or a hub id: what transformers is given for a path."""
    if Path(path).expanduser().exists():
        return path
    if path.startswith(MODELSCOPE) and is_hub_id(path):
        return str(modelscope.fetch(path))
    return _hub_id(path)


def _hub_id(path: str) -> str:
    """The hub id that a path means which is not here; StudentError where it can mean none."""
    if path.startswith(HUGGINGFACE):
        hub_id = huggingface_id(path)
        if hub_id is None:
            raise StudentError(
                "{path} does not say whose model it is.",
                path=path,
                allowed=[*(HUGGINGFACE + one for one in OWNERS), "huggingface/<owner>/<name>"],
                fix="Put its owner before its name.",
            )
        return hub_id
    name = path.removeprefix("hf_hub:").removeprefix("hf-hub:")
    if name == path and (
        path.startswith("/") or path.count("/") != 1 or path.endswith(FILE_SUFFIXES)
    ):
        raise StudentError(
            "The student's weights {path} do not exist.",
            path=path,
            fix="Give student.path a .safetensors or .pth file, a folder, or a hub id.",
        )
    return name


def torchvision_file(size: str) -> Path:
    """torchvision's file of weights for a student, in PyTorch's own cache; fetched if need be.

    StudentError for a student that torchvision has none for, and where they cannot be fetched.
    """
    from torchvision.models import get_model_weights  # type: ignore[attr-defined]

    weights: Any = get_model_weights(_torchvision_model(size))  # an enum; its type has no DEFAULT
    url: str = weights.DEFAULT.url
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    file = folder / url.rpartition("/")[2]
    if file.is_file():
        return file
    digest = re.search(r"-([a-f0-9]{8,})\.", file.name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(file), digest and digest[1], progress=False)
    except (OSError, RuntimeError) as error:
        raise StudentError(
            "torchvision's weights of {size} are not in {folder}, and they cannot be fetched: "
            "{reason}.",
            size=size,
            folder=folder,
            reason=" ".join(str(error).split()) or type(error).__name__,
            fix="Put {url} there from a machine that has a network, or set student.init to random.",
            url=url,
        ) from error
    return file


def _torchvision_model(size: str) -> str:
    """What torchvision calls the network that a student begins with."""
    found = _IN_TORCHVISION.fullmatch(size)
    if found is None:
        raise StudentError(
            "torchvision has no weights for {size}.",
            size=size,
            allowed=["resnet18", "resnet34", "resnet50", "resnet101", "vit-base", "vit-large",
                     "lstm-*", "unet-resnet*"],
            fix="Name a file, a folder, a hub id such as timm/…, or ultralytics/<file>.pt.",
        )  # fmt: skip
    if found[2]:
        return {"base": "vit_b_16", "large": "vit_l_16"}[found[2]]
    return found[1] or "resnet50"  # an LSTM reads the features of one


def ultralytics_file(path: str) -> Path:
    """The file that `ultralytics/<file>.pt` means, from Ultralytics' own repository on the hub;
    any other path is taken as it is. StudentError where it cannot be had."""
    local = Path(path).expanduser()
    if local.exists() or not path.startswith(ULTRALYTICS):
        return local
    file = path.removeprefix(ULTRALYTICS)
    try:
        return Path(hf_hub_download(ULTRALYTICS_REPO, file))
    except (OSError, HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, ValueError) as why:
        raise StudentError(
            "{file} is not here, and the hub does not give it ({why}).",
            file=file,
            why=type(why).__name__,
            fix="Put {file} under the models' root, or set student.init to random.",
        ) from why


def _read_hub(name: str) -> tuple[dict[str, Tensor], dict[str, object]]:
    try:
        config = _pixels(_hub_json(name, "config.json") | _hub_json(name, PROCESSOR))
        return load_state_dict_from_hf(name, weights_only=True), config
    except (OSError, HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, ValueError) as why:
        raise StudentError(
            "The student's weights {path} are no local file or folder, and the hub does not give "
            "them ({why}).",
            path=name,
            why=type(why).__name__,
            fix="Check the name and the network, or give a local path.",
        ) from why


PROCESSOR = "preprocessor_config.json"


def _hub_json(name: str, file: str) -> dict[str, object]:
    repo, _, revision = name.partition("@")
    try:
        return _json(Path(hf_hub_download(repo, file, revision=revision or None)))
    except EntryNotFoundError as error:
        if file == PROCESSOR:
            return {}
        raise LocalEntryNotFoundError(str(error)) from error


def _json_in(folder: Path) -> dict[str, object]:
    return _json(folder / "config.json") | _json(folder / PROCESSOR)


def _json(path: Path) -> dict[str, object]:
    """What it holds; nothing where it is not there or holds no names and values."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _pixels(config: Mapping[str, object]) -> dict[str, object]:
    """`mean` and `std` as timm (`pretrained_cfg`) or transformers (`image_mean`) keep them."""
    timms = config.get("pretrained_cfg")
    found: Mapping[str, object] = timms if isinstance(timms, dict) else config
    return {
        name: value
        for name in ("mean", "std")
        if (value := found.get(name) or config.get(f"image_{name}")) is not None
    }


def _weights_in(folder: Path) -> Path:
    for name in WEIGHT_FILES:
        if (folder / name).is_file():
            return folder / name
    raise StudentError(
        "The folder {path} holds no weights of a student.",
        path=folder,
        allowed=WEIGHT_FILES,
        fix="Name the file itself.",
    )


def _read_file(path: Path) -> dict[str, Tensor]:
    try:
        with warnings.catch_warnings():
            # Of a foreign pickle protocol, just before it is refused.
            warnings.simplefilter("ignore", UserWarning)
            weights = load_state_dict(str(path), weights_only=True)
    except (
        RuntimeError, OSError, ValueError, EOFError, KeyError, AttributeError,
        pickle.UnpicklingError, SafetensorError,
    ) as why:  # fmt: skip
        raise StudentError(
            "The file {path} is not readable as weights ({why}).",
            path=path,
            why=type(why).__name__,
            fix="Give a .safetensors file, or a .pth that holds tensors only.",
        ) from why
    if not weights or not all(isinstance(one, Tensor) for one in weights.values()):
        raise StudentError(
            "The file {path} holds something else than weights by name.",
            path=path,
            fix="Save the state dict: torch.save(model.state_dict(), path).",
        )
    return weights
