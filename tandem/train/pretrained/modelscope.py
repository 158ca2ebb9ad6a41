"""A model from ModelScope, by its plain HTTP interface, into the cache that its own tools share.

Only what a teacher or student reads is fetched: JSON, tokenizers and safetensors, never code or a
pickle. A file is written aside, checked by the SHA-256 that ModelScope states, and renamed; the
folder appears when all are there, and an interrupted file goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from filelock import FileLock

from tandem.spec.errors import TeacherError
from tandem.spec.plugins.sources import MODELSCOPE, modelscope_folders

DOMAIN = "www.modelscope.cn"
REVISION = "master"
READ = re.compile(r"[\w.-]+\.(?:json|txt|model|jinja|safetensors)")
TIMEOUT = httpx.Timeout(60.0, connect=20.0)
_PARTIAL = 206


@dataclass(frozen=True)
class _RemoteFile:
    name: str
    size_bytes: int
    sha256: str


def fetch(name: str) -> Path:
    """The folder of `modelscope:owner/name`; fetched where it is not here yet.

    TeacherError where ModelScope has no such model, cannot be reached or sends something else than
    it stated.
    """
    hub_id = name.removeprefix(MODELSCOPE)
    folders = modelscope_folders(hub_id)
    there = next((one for one in folders if (one / "config.json").is_file()), None)
    if there is not None:
        return there
    folder = folders[0]
    aside = folder.with_name(f".{folder.name}.incomplete")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f".{folder.name}.lock")):  # processes of one run ask at once
        if not (folder / "config.json").is_file():
            aside.mkdir(exist_ok=True)
            _fetch_all(hub_id, aside)
            aside.rename(folder)
    return folder


def _fetch_all(hub_id: str, folder: Path) -> None:
    address = f"{_endpoint()}/api/v1/models/{hub_id}/repo"
    try:
        with httpx.Client(timeout=TIMEOUT, follow_redirects=True) as client:
            for one in _listed(client, address, hub_id):
                _fetch_one(client, address, one, folder)
    except (httpx.HTTPError, OSError) as error:
        raise TeacherError(
            "The model {name} cannot be fetched from ModelScope: {reason}.",
            name=hub_id,
            reason=" ".join(str(error).split()) or type(error).__name__,
            fix="Try again where there is a network: it goes on where it stopped. Or put the "
            "model's folder under the models' root.",
        ) from error


def _endpoint() -> str:
    """ModelScope's own variable may name another domain of it, such as www.modelscope.ai."""
    domain = os.environ.get("MODELSCOPE_DOMAIN") or DOMAIN
    return domain.rstrip("/") if "://" in domain else f"https://{domain}"


def _listed(client: httpx.Client, address: str, hub_id: str) -> Iterator[_RemoteFile]:
    """The files that are read, config.json among them."""
    answer = client.get(f"{address}/files", params={"Revision": REVISION, "Recursive": "False"})
    files = _files_in(answer)
    if files is None or not any(one.get("Path") == "config.json" for one in files):
        raise TeacherError(
            "There is no model {name} on ModelScope.",
            name=hub_id,
            fix="Check its name at {endpoint}; models are not always called there as on Hugging "
            "Face.",
            endpoint=_endpoint(),
        )
    for one in files:
        name = str(one.get("Path"))
        if one.get("Type") != "tree" and READ.fullmatch(name):
            yield _RemoteFile(name, int(one.get("Size") or 0), str(one.get("Sha256") or ""))


def _files_in(answer: httpx.Response) -> list[dict[str, Any]] | None:
    """What the list's answer holds; None where it says that there is no such model."""
    if answer.status_code in (401, 403, 404):
        return None
    answer.raise_for_status()
    try:
        told = answer.json()
        found = told["Data"]["Files"] if told.get("Code") == httpx.codes.OK else None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise httpx.DecodingError("its answer is no list of files") from None
    return found if isinstance(found, list) else None


def _fetch_one(client: httpx.Client, address: str, file: _RemoteFile, folder: Path) -> None:
    target, part = folder / file.name, folder / f"{file.name}.part"
    if target.is_file():
        return
    have = part.stat().st_size if part.is_file() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    asked = {"Revision": REVISION, "FilePath": file.name}
    if not file.size_bytes or have < file.size_bytes:
        with client.stream("GET", address, params=asked, headers=headers) as answer:
            answer.raise_for_status()
            mode = "ab" if answer.status_code == _PARTIAL else "wb"
            with part.open(mode) as into:
                for block in answer.iter_bytes():
                    into.write(block)
    if file.sha256 and _sha256(part) != file.sha256:
        part.unlink()
        raise httpx.DecodingError(f"{file.name} is not what its SHA-256 says")
    part.rename(target)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
