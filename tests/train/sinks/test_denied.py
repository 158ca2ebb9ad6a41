"""What 401 and 403 mean: the token is wrong, or one call asks for what may not be."""

import pytest

from tandem.train.sinks.emitter import Emitter
from tandem.train.sinks.http import Http, deliver

from .speech import notices, told_once, whole_run


def test_a_wrong_token_keeps_everything_for_later(tmp_path, service, monkeypatch):
    service.plan = [401] * 20
    emitter = Emitter(tmp_path, "T", [Http(service.url)])
    whole_run(emitter)
    emitter.close()
    said = "\n".join(notices(tmp_path))
    assert "check TANDEM_RUN_TOKEN" in said
    assert "7 events have not reached" in said
    assert len(service.asked) == 3  # of eleven: it does not go on knocking
    assert service.took == []
    service.plan = []
    assert deliver(tmp_path, service.url, token="right").left == 0
    told_once(service)


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("denied", [["/model-path"], ["/evaluations", "/model-path"], ["/history"]])
def test_what_is_denied_by_itself_holds_nothing_back(tmp_path, service, status, denied):
    """A model outside of the folders that the service serves: the task is complete all the same."""
    service.denied = dict.fromkeys(denied, status)
    emitter = Emitter(tmp_path, "T", [Http(service.url)])
    whole_run(emitter)
    emitter.close()
    assert len(service.taken("/complete")) == 1
    assert service.taken("/progress")[-1]["currentEpoch"] == 3
    said = notices(tmp_path)
    assert len(said) == len(denied)
    assert f"with {status}: says {status}. The training goes on" in said[0]
    assert "TANDEM_RUN_TOKEN" not in "".join(said)
    assert deliver(tmp_path, service.url).left == 0
    assert len(service.taken("/complete")) == 1


@pytest.mark.parametrize("seconds", ["²", "٣", "-1", "1e3", "Wed, 21 Oct 2026 07:28:00 GMT", ""])
def test_what_a_service_asks_to_wait_may_be_no_number(tmp_path, service, seconds):
    service.retry_after = seconds
    service.plan = [503]
    emitter = Emitter(tmp_path, "T", [Http(service.url)])
    whole_run(emitter)
    emitter.close()
    told_once(service)
