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
from typing import TYPE_CHECKING, BinaryIO, TypedDict

from tandem.spec.errors import DataError, TandemError
from tandem.spec.i18n import speaking

if TYPE_CHECKING:
    from tandem.predict.predictor import Predictor

DEVICE = "cpu"


class PredictRequest(TypedDict, total=False):
    """One line that is read: a file or a text."""

    path: str
    name: str
    """What the reader calls the file."""
    text: str
    language: str


Reply = dict[str, object]


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
        _reply(out, {"failed": error.sentence()})
        return error.exit_code
    _reply(out, {"ready": True, "kind": predictor.config.kind})
    is_warm = False
    for line in sys.stdin.buffer:
        request: PredictRequest = json.loads(line)
        with speaking(request.get("language", "en")):
            reply = answer(predictor, request, is_warm=is_warm)
        is_warm = is_warm or "problem" not in reply
        _reply(out, reply)
    return 0


def answer(predictor: Predictor, request: PredictRequest, *, is_warm: bool = True) -> Reply:
    """What the model says of one thing, and how long the model alone took.

    The very first input goes through twice: what is built only then is no part of its time.
    """
    from tandem.predict import serialize
    from tandem.predict.answers import SegmentationMask

    try:
        source = _source(predictor.config.kind, request)
        if not is_warm:
            predictor.timed(source)
        found, (height, width), seconds = predictor.timed(source)
    except DataError as problem:
        return {"problem": _named(problem, request)}
    answered = serialize.serialize(found)
    mask = serialize.mask_png(found) if isinstance(found, SegmentationMask) else None
    answered["has_mask"] = mask is not None
    return {
        "kind": predictor.config.kind,
        "answer": answered,
        "mask": mask,
        "height": height or None,
        "width": width or None,
        "device": DEVICE,
        "milliseconds": 1000 * seconds,
    }


def _source(kind: str, request: PredictRequest) -> str | Path:
    """What a model of this kind reads; DataError where it is shown another thing."""
    from tandem.data.video import VIDEO_SUFFIXES, is_video

    if kind == "text":
        if request.get("text") is None:
            raise DataError("This model reads texts.", fix="Give it a text, not a file.")
        return str(request["text"])
    if request.get("path") is None:
        raise DataError("This model looks at pictures.", fix="Give it a picture, not a text.")
    path = Path(request["path"])
    if kind == "sequence" and not (is_video(path.name) and _looks_like_video(path)):
        raise DataError(
            "This model has learnt clips, and one picture is none.",
            allowed=sorted(VIDEO_SUFFIXES),
            fix="Give it a short video, or put it to work on a folder of clips.",
        )
    return path


def _looks_like_video(path: Path) -> bool:
    """By its first bytes: a play list that calls itself a video would open other files."""
    with path.open("rb") as file:
        first = file.read(12)
    return first[4:8] == b"ftyp" or first[:4] in (b"RIFF", b"\x1aE\xdf\xa3")


def _named(problem: DataError, request: PredictRequest) -> str:
    """The file lies under another name here than the reader gave it."""
    if str(problem.fields.get("path", "")) == str(request.get("path")):
        problem.fields["path"] = request.get("name") or "-"
    return problem.sentence()


def _own_output() -> BinaryIO:
    """Standard output, for the answers alone: what libraries print goes to standard error."""
    kept = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(kept, "wb")


def _reply(out: BinaryIO, line: Reply) -> None:
    out.write(json.dumps(line).encode() + b"\n")
    out.flush()


if __name__ == "__main__":
    sys.exit(main())
