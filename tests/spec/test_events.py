from typing import get_args

from tandem.spec.event import EVENT_TYPES, RunEvent
from tandem.spec.service_event import ServiceEvent, ServiceEvents
from tandem.spec.typescript import FILE, text


def test_the_consoles_list_of_events_is_fresh():
    assert FILE.read_text("utf-8") == text(), "run python -m tandem.spec.typescript"


def test_every_class_of_an_event_is_one_of_them():
    assert set(get_args(ServiceEvents)) == set(ServiceEvent.__subclasses__())
    assert len(EVENT_TYPES) == len(RunEvent.__subclasses__())
