"""Engines by name. Each is imported when a run asks for it, not before: a loop is slow to load."""

from __future__ import annotations

from tandem.train.engines.base import Engine
from tandem.train.registry import find, register


@register.engine("accelerate")
def accelerate() -> Engine:
    """Our own training loop, over processes and precisions by Accelerate."""
    from tandem.train.engines.accelerate.engine import AccelerateEngine

    return AccelerateEngine()


def find_engine(student_type: str) -> Engine:
    """The engine that this type of student learns in. SpecError where it is not installed."""
    name = find("students", student_type).engine
    engine = find("engines", name).make()
    assert isinstance(engine, Engine), f"the engine {name} lacks something of engines.base.Engine"
    return engine
