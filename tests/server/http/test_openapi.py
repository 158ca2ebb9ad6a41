"""The description of the API that is committed is the one of this version."""

import json

from tandem.server.http.openapi import FILE, text


def test_the_committed_description_is_fresh():
    assert FILE.read_text(encoding="utf-8") == text(), "run python -m tandem.server.http.openapi"


def test_every_operation_says_what_it_does_and_how_it_fails():
    described = json.loads(text())
    ids = []
    for path, item in described["paths"].items():
        for method, operation in item.items():
            ids.append(operation["operationId"])
            assert operation.get("description"), (method, path)
            assert operation.get("tags"), (method, path)
            if path.startswith(("/api/", "/model-distillation")):
                assert {"401", "403", "500", "503"} <= operation["responses"].keys(), (method, path)
    assert len(ids) == len(set(ids))
