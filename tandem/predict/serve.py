"""`python -m tandem.predict.serve MODEL`: a model that stays loaded and answers, line by line.

It says `{"ready": true, …}` once it is loaded, or `{"failed": "why"}`. Each line that it reads
then asks one thing, `{"path": FILE, "name": "as the reader knows it", "language": "en"}` or
`{"text": "…"}`, and gets one line: the answer, or `{"problem": "what is wrong with it"}`. It ends
with its input, so it never outlives who started it. It runs on the CPU: the GPUs are leased to
trainings.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any, BinaryIO

from tandem.spec.errors import DataError, TandemError
from tandem.spec.i18n import speaking

DEVICE = "cpu"
Line = dict[str, Any]


def main(argv: list[str] | None = None) -> int:
    """The exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for who started it
    out = _own_output()
    # Imported late: what a library prints at its import must not come into the answers.
    from tandem.predict.predictor import load

    try:
        predictor = load(arguments[0], DEVICE)
    except TandemError as error:
        _tell(out, {"failed": error.sentence()})
        return error.exit_code
    _tell(out, {"ready": True, "kind": predictor.config.kind})
    is_warm = False
    for line in sys.stdin.buffer:
        asked = json.loads(line)
        with speaking(asked.get("language", "en")):
            said = answer(predictor, asked, is_warm=is_warm)
        is_warm = is_warm or "problem" not in said
        _tell(out, said)
    return 0


def answer(predictor: Any, asked: Line, *, is_warm: bool = True) -> Line:
    """What the model says of one thing, and how long the model alone took.

    The very first input goes through twice: what is built only then is no part of its time.
    """
    from tandem.predict import serialize
    from tandem.predict.answers import Segmentation

    try:
        source = _source(predictor.config.kind, asked)
        if not is_warm:
            predictor.timed(source)
        said, (height, width), seconds = predictor.timed(source)
    except DataError as problem:
        return {"problem": _named(problem, asked)}
    answered = serialize.labels(said)
    mask = serialize.mask_png(said) if isinstance(said, Segmentation) else None
    return {
        "kind": predictor.config.kind,
        "answer": answered | {"has_mask": mask is not None},
        "mask": mask,
        "height": height or None,
        "width": width or None,
        "device": DEVICE,
        "milliseconds": 1000 * seconds,
    }


def _source(kind: str, asked: Line) -> Any:
    """What a model of this kind reads; DataError where it is shown another thing."""
    from tandem.data.video import is_video

    if kind == "text":
        if asked.get("text") is None:
            raise DataError("This model reads texts.", fix="Give it a text, not a file.")
        return str(asked["text"])
    if asked.get("path") is None:
        raise DataError("This model looks at pictures.", fix="Give it a picture, not a text.")
    path = Path(asked["path"])
    if kind == "sequence" and not (is_video(path.name) and _looks_like_video(path)):
        raise DataError(
            "This model has learnt clips, and one picture is none.",
            allowed=[".avi", ".mkv", ".mov", ".mp4", ".webm"],
            fix="Give it a short video, or put it to work on a folder of clips.",
        )
    return path


def _looks_like_video(path: Path) -> bool:
    """By its first bytes: a play list that calls itself a video would open other files."""
    with path.open("rb") as file:
        first = file.read(12)
    return first[4:8] == b"ftyp" or first[:4] in (b"RIFF", b"\x1aE\xdf\xa3")


def _named(problem: DataError, asked: Line) -> str:
    """The file lies under another name here than the reader gave it."""
    if str(problem.fields.get("path", "")) == str(asked.get("path")):
        problem.fields["path"] = asked.get("name") or "-"
    return problem.sentence()


def _own_output() -> BinaryIO:
    """Standard output, for the answers alone: what libraries print goes to standard error."""
    kept = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(kept, "wb")


def _tell(out: BinaryIO, line: Line) -> None:
    out.write(json.dumps(line).encode() + b"\n")
    out.flush()


if __name__ == "__main__":
    sys.exit(main())
