"""/api/llm-finetuning says that it is not there yet, wherever and however it is asked."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    "path",
    ["", "/lora/start", "/qlora/start", "/tasks", "/status/TASK_1", "/data/upload", "/merge"],
)
def test_every_address_says_so(client: TestClient, method: str, path: str):
    answer = client.request(method, f"/api/llm-finetuning{path}")
    assert answer.status_code == 501
    assert set(answer.json()) == {"detail"}
    assert "later version" in answer.json()["detail"]
