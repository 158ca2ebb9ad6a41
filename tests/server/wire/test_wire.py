"""Names outside."""

from tandem.server.wire.envelope import Camel


class One(Camel):
    map_50: float
    f1_score: float
    task_id: str


def test_names_are_the_contracts():
    said = One(map_50=1, f1_score=2, task_id="x").model_dump(by_alias=True)
    assert said == {"map50": 1, "f1Score": 2, "taskId": "x"}
