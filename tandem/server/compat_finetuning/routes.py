"""Routes of /api/llm-finetuning, as far as clients are told of them."""

from __future__ import annotations

from fastapi import APIRouter

from tandem.server.errors import LaterError

router = APIRouter(prefix="/api/llm-finetuning", include_in_schema=False)
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


@router.api_route("", methods=_METHODS)
@router.api_route("/{rest:path}", methods=_METHODS)
def finetuning() -> None:
    """501, whatever is asked."""
    raise LaterError(
        "Fine-tuning of language models comes in a later version.",
        fix="Classifiers and detectors are trained by /api/training, students of a large model by"
        " /model-distillation.",
    )
