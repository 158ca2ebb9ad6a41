"""How the description tells of a file that is sent in a form."""

from __future__ import annotations


def of_a_file(*texts: str) -> dict[str, object]:
    """The content of a request body in OpenAPI: `file`, which is needed, and these texts."""
    more = {name: {"type": "string"} for name in texts}
    file = {"type": "string", "format": "binary"}
    schema = {"type": "object", "required": ["file"], "properties": {"file": file, **more}}
    return {"multipart/form-data": {"schema": schema}}
