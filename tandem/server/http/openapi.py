"""`python -m tandem.server.http.openapi` writes docs/openapi.json."""

from __future__ import annotations

import json
from pathlib import Path

from tandem.executors.fake import FakeExecutor
from tandem.server.app import create_app
from tandem.server.settings import read

FILE = Path(__file__).parents[3] / "docs" / "openapi.json"


def text() -> str:
    """The description of this version, as it is committed."""
    settings = read({"TANDEM_HOME": "/tandem", "TANDEM_DATABASE_URL": "sqlite:////tandem/x.db"})
    app = create_app(settings, FakeExecutor())
    return json.dumps(app.openapi(), ensure_ascii=False, indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
