"""Requests made up from the description: no 5xx, and every answer is as described."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import CheckContext, not_a_server_error
from schemathesis.core.transport import Response
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tandem.executors.fake import FakeExecutor
from tandem.server.app import create_app
from tandem.server.db.database import Database
from tandem.server.db.upgrade import upgrade
from tandem.server.http.openapi import FILE
from tandem.server.settings import read


def no_fault(
    context: CheckContext, response: Response, case: schemathesis.Case[Any]
) -> bool | None:
    """No 5xx but a 501 where the description has one: the contract asks for it."""
    described = case.operation.definition.raw["responses"]
    if response.status_code == 501 and "501" in described:
        return None
    return not_a_server_error(context, response, case)


CHECKS = [
    no_fault,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
STREAMS = r"/api/v1/(tasks/\{\w+\}/|system/)?events$"


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, module_url: Callable[[str], str]) -> BaseSchema:

    home: Path = tmp_path_factory.mktemp("home")
    url = module_url("sqlite")
    database = Database(url)
    upgrade(database)
    database.close()
    env = {"TANDEM_HOME": str(home), "TANDEM_DATABASE_URL": url}
    env["TANDEM_ALLOWED_HOSTS"] = "testserver"
    app = create_app(read(env), FakeExecutor())
    return schemathesis.openapi.from_asgi("/openapi.json", app)


OPERATIONS = [
    (method.upper(), path)
    for path, item in json.loads(FILE.read_text(encoding="utf-8"))["paths"].items()
    for method in item
    if not (method == "get" and re.search(STREAMS, path))
]


@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=[" ".join(one) for one in OPERATIONS])
def test_answers_are_as_described(api: BaseSchema, method: str, path: str):
    @given(case=api[path][method].as_strategy())
    @settings(
        max_examples=25,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    def ask(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(checks=CHECKS)

    ask()
