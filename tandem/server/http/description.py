"""The description of the API: complete, and the same on every machine."""

from __future__ import annotations

import json
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from tandem.server.wire.envelope import Refusal

ABOUT = (
    "Teach small models what large ones know, and put them to work. `/model-distillation` is the "
    "surface of installed systems: camelCase, every answer in `{code, message, data}`. `/api/v1` "
    "is Tandem's own: snake_case, failures as `application/problem+json` (RFC 9457). "
    "`/api/training` is plain training: bare answers, failures as `{detail}`."
)
TAGS: list[dict[str, object]] = [
    {"name": "tasks", "description": "Created, started, watched, stopped, deleted."},
    {"name": "history", "description": "A training's figures, epoch by epoch."},
    {"name": "evaluations", "description": "What trained models can do."},
    {"name": "samples", "description": "A student's answers to the validation samples."},
    {"name": "LoRA presets", "description": "Named LoRA settings."},
    {"name": "models", "description": "What was trained to its end."},
    {"name": "inference", "description": "Students at work: jobs that annotate."},
    {"name": "data sets", "description": "The folders under the data sets' root."},
    {"name": "plain training", "description": "Classifiers and detectors, without a teacher."},
    {"name": "health", "description": "For load balancers and monitors."},
]
FAILURES = {
    "400": "The request is not understood.",
    "401": "A token is wanted, or another one.",
    "403": "A path outside the configured folders, another page, or a run's token.",
    "404": "There is no such thing.",
    "409": "The task's state, or another request, forbids it.",
    "413": "The request is too large.",
    "422": "Fields are wrong; each is named.",
    "500": "A fault of the service; its log says which.",
    "501": "It comes in a later version.",
    "503": "The data base does not answer.",
    "507": "The disk is full.",
}
LATER = ("/api/training/start", "/api/training/models")
"""Where a kind of model can be asked for that cannot be trained yet."""
NAMES_ANOTHER = ("/inference", "/inference/submit")
"""What a body names may not be there, though the path names nothing."""
DETAIL: dict[str, object] = {
    "title": "Detail",
    "description": "A failure of plain training.",
    "type": "object",
    "properties": {
        "detail": {
            "description": "A sentence, or each field at fault.",
            "anyOf": [
                {"type": "string"},
                {"type": "array", "items": {"$ref": "#/components/schemas/FieldFault"}},
            ],
        }
    },
    "required": ["detail"],
}
PROBLEM: dict[str, object] = {
    "title": "Problem",
    "description": "A failure, as RFC 9457 has it.",
    "type": "object",
    "properties": {
        "type": {"type": "string", "examples": ["about:blank"]},
        "title": {"type": "string"},
        "status": {"type": "integer", "examples": [404]},
        "detail": {"type": "string", "description": "A sentence a person can act on."},
        "errors": {
            "type": "array",
            "description": "Of 422: each field at fault.",
            "items": {"$ref": "#/components/schemas/FieldFault"},
        },
        "expected_seq": {"type": "integer", "description": "Of events: the number to go on from."},
    },
    "required": ["type", "title", "status", "detail"],
}


def complete(app: FastAPI) -> dict[str, Any]:
    """The description with every failure of every route; made once."""
    if app.openapi_schema is None:
        described = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            tags=app.openapi_tags,
            routes=app.routes,
        )
        _add_schemas(described)
        for path, item in described["paths"].items():
            for method, operation in item.items():
                _add_failures(path, method, operation)
        app.openapi_schema = described
    return app.openapi_schema


def _add_schemas(described: dict[str, Any]) -> None:
    schemas = described.setdefault("components", {}).setdefault("schemas", {})
    refusal = Refusal.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= refusal.pop("$defs", {})
    schemas["Refusal"], schemas["Problem"], schemas["Detail"] = refusal, PROBLEM, DETAIL
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    described["components"]["securitySchemes"] = {
        "token": {
            "type": "http",
            "scheme": "bearer",
            "description": "Wanted where the service listens beyond its machine.",
        }
    }
    described["security"] = [{}, {"token": []}]


def _add_failures(path: str, method: str, operation: dict[str, Any]) -> None:
    if not path.startswith(("/model-distillation", "/api/")):
        return
    media, name = "application/problem+json", "Problem"
    if path.startswith("/model-distillation"):
        media, name = "application/json", "Refusal"
    elif path.startswith("/api/training"):
        media, name = "application/json", "Detail"
    schema = {"$ref": f"#/components/schemas/{name}"}
    for status, about in FAILURES.items():
        if status == "404" and "{" not in path and not path.endswith(NAMES_ANOTHER):
            continue
        if status == "501" and path not in LATER:
            continue
        if status in ("409", "413") and method == "get":
            continue
        known = operation["responses"].get(status)
        if known is None or "HTTPValidationError" in json.dumps(known):
            content = {media: {"schema": schema}}
            operation["responses"][status] = {"description": about, "content": content}
