"""`python -m tandem.predict.importing REQUEST.json`: one import, in a process of its own.

It prints what came of it as JSON; exit 2 and one sentence where the file will not do.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import sys
from pathlib import Path
from typing import TypedDict

import numpy as np

from tandem.predict.importing.imported_model import ImportedModel
from tandem.spec.errors import OutputFolderError, StudentError, TandemError

MOST_BYTES = 20 * 2**30
MOST_SECONDS = 1800


class ImportResult(TypedDict):
    """What came of an import, as it is printed."""

    kind: str
    classes: list[str]
    size: str
    path: str
    notes: list[str]
    """What a person should know of it."""


def main() -> int:
    """The exit code."""
    # A foreign file is untrusted: it may neither fill the disk nor compute for ever.
    resource.setrlimit(resource.RLIMIT_FSIZE, (MOST_BYTES, MOST_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_SECONDS, MOST_SECONDS))
    request = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    try:
        print(json.dumps(import_model(**request), ensure_ascii=False))
    except TandemError as error:
        print(error.sentence(), file=sys.stderr)
        return error.exit_code
    return 0


def import_model(
    file: str, folder: str, classes: list[str], size: str = "", image_size: int | None = None
) -> ImportResult:
    """The model in `folder`, tried once. What it is: kind, classes, size, path."""
    path, target = Path(file), Path(folder)
    if not path.is_file():
        raise StudentError("There is no file {path}.", path=path)
    if target.exists():
        raise OutputFolderError(
            "There is something at {path} already.", path=target, fix="Choose another name."
        )
    hidden = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        kind, names, label, notes = _write(path, hidden, classes, size, image_size)
        _try(hidden)
        hidden.rename(target)
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
    model = target / "model.onnx" if (target / "model.onnx").is_file() else target
    return {"kind": kind, "classes": names, "size": label, "path": str(model), "notes": notes}


def _write(
    path: Path, folder: Path, classes: list[str], size: str, image_size: int | None
) -> tuple[str, list[str], str, list[str]]:
    match path.suffix.lower():
        case ".pt":
            from tandem.predict.importing import ultralytics_file

            return *_save(ultralytics_file.read(path, image_size), folder), []
        case ".safetensors":
            from tandem.predict.importing import timm_file

            return *_save(timm_file.read(path, classes, size, image_size), folder), []
        case ".onnx":
            import onnx

            from tandem.predict.importing import onnx_file

            model, config, notes = onnx_file.read(path, classes, image_size)
            folder.mkdir(parents=True)
            onnx.save_model(model, str(folder / "model.onnx"))
            # The same lies in the file; this is for who cannot read ONNX.
            (folder / "model.json").write_text(config.model_dump_json(indent=1), encoding="utf-8")
            return config.kind, list(config.classes), config.student.size, notes
    raise StudentError(
        "{path} is of no kind that can be imported.",
        path=path,
        allowed=[".pt (Ultralytics)", ".onnx", ".safetensors (timm)"],
    )


def _save(found: ImportedModel, folder: Path) -> tuple[str, list[str], str]:
    from tandem.spec.run import DataSpec, ExecutionSpec, RunSpec
    from tandem.train.export import final_model

    spec = RunSpec.model_validate(
        {
            "task_id": "IMPORTED",
            "kind": found.kind,
            "mode": "direct",
            "data": DataSpec(dataset="-", image_size=found.student.image_size),
            "student": found.spec,
            "run": ExecutionSpec(output_dir=folder),
        }
    )
    card = f"# {found.spec.size}\n\nImported; it was trained elsewhere.\n"
    final_model.save(found.student, folder, spec=spec, classes=found.classes, metrics={}, card=card)
    return found.kind, found.classes, found.spec.size


def _try(folder: Path) -> None:
    """Two grey pictures must get two answers."""
    from tandem.predict.predictor import load

    file = folder / "model.onnx"
    model = load(file if file.is_file() else folder, "cpu")
    size = model.config.image_size
    grey = np.full((size, size, 3), 128, np.uint8)
    if len(model.predict([grey, grey])) != 2:
        raise StudentError("{path} gives no answer.", path=folder)


if __name__ == "__main__":
    sys.exit(main())
