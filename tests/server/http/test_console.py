"""The console's files, its page for every address, its policy; the cookie that opens the API."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tandem.executors.fake import FakeExecutor
from tandem.server.app import create_app
from tandem.server.db.database import Database
from tandem.server.session import cookie

TOKEN = "s3cret-of-the-service"
PAGE = "<!doctype html><title>Tandem</title>"
NAVIGATION = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
Opened = Callable[..., TestClient]


@pytest.fixture
def web(tmp_path: Path) -> Path:
    root = tmp_path / "web"
    (root / "assets").mkdir(parents=True)
    (root / "index.html").write_text(PAGE)
    (root / "favicon.svg").write_text("<svg/>")
    (root / "assets" / "app-1.js").write_text("plain")
    (root / "assets" / "app-1.js.br").write_bytes(b"as brotli")
    (root / "assets" / "app-1.js.gz").write_bytes(b"as gzip")
    (root / "notes.py").write_text("secret")
    (root / ".hidden.js").write_text("secret")
    (tmp_path / "outside.js").write_text("secret")
    (root / "link.js").symlink_to(tmp_path / "outside.js")
    return root


@pytest.fixture
def opened(sqlite: Database, settings_of: Callable[..., object], web: Path) -> Iterator[Opened]:
    """`opened(token=…, url=…)`: the service with a console."""
    made: list[TestClient] = []

    def make(
        token: str | None = None, url: str = "http://127.0.0.1", root: Path = web
    ) -> TestClient:
        database_url = sqlite.url.render_as_string(hide_password=False)
        settings = settings_of(database_url, TANDEM_WEB_ROOT=str(root))
        client = TestClient(create_app(settings, FakeExecutor(), token=token), base_url=url)
        made.append(client.__enter__())
        return client

    yield make
    for client in made:
        client.__exit__(None, None, None)


@pytest.mark.parametrize("path", ["/", "/tasks", "/tasks/TASK_1/curves", "/no/such/page"])
def test_every_address_of_the_console_is_its_page(opened: Opened, path: str):
    seen = opened().get(path)
    assert (seen.status_code, seen.text) == (200, PAGE)
    assert seen.headers["content-type"].startswith("text/html")
    assert seen.headers["cache-control"] == "no-cache"


def test_a_page_whose_name_has_a_dot_is_one_for_a_browser_that_opens_it(opened: Opened):
    client = opened()
    assert client.get("/datasets/birds.v2", headers=NAVIGATION).text == PAGE
    assert client.get("/missing.js", headers={"Accept": "*/*"}).status_code == 404
    assert client.get("/assets/gone-1.js", headers=NAVIGATION).status_code == 404


@pytest.mark.parametrize(
    "path", ["/api/v1/nothing", "/api", "/model-distillation/nothing", "/metrics/x", "/docs/x"]
)
def test_the_apis_addresses_stay_the_apis(opened: Opened, path: str):
    seen = opened().get(path, headers=NAVIGATION)
    assert seen.status_code == 404
    assert seen.headers["content-type"].startswith("application/")
    assert opened().post("/tasks").status_code in (404, 405)


def test_no_script_but_its_own_may_run(opened: Opened):
    said = opened().get("/").headers
    policy = dict(part.strip().split(" ", 1) for part in said["content-security-policy"].split(";"))
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["object-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert said["x-content-type-options"] == "nosniff"
    assert said["referrer-policy"] == "same-origin"


def test_an_asset_is_kept_for_ever_and_comes_as_the_build_compressed_it(opened: Opened):
    client = opened()
    for accepted, coding, body in (
        ("gzip, deflate, br", "br", b"as brotli"),
        ("gzip", "gzip", b"as gzip"),
        ("br;q=0, gzip;q=0.5", "gzip", b"as gzip"),
        ("identity", None, b"plain"),
    ):
        with client.stream(
            "GET", "/assets/app-1.js", headers={"Accept-Encoding": accepted}
        ) as seen:
            assert b"".join(seen.iter_raw()) == body
        assert seen.headers.get("content-encoding") == coding
        assert seen.headers["content-type"].startswith("text/javascript")
        assert "immutable" in seen.headers["cache-control"]
        assert seen.headers["vary"] == "Accept-Encoding"


def test_what_a_browser_has_is_not_sent_again(opened: Opened):
    client = opened()
    tag = client.get("/").headers["etag"]
    again = client.get("/", headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    head = client.head("/")
    assert (head.content, head.headers["content-length"]) == (b"", str(len(PAGE)))


@pytest.mark.parametrize(
    "path",
    [
        "/../outside.js", "/%2e%2e/outside.js", "/assets/%2e%2e/%2e%2e/outside.js", "/link.js",
        "/.hidden.js", "/notes.py", "/assets//app-1.js", "/..%5coutside.js",
        "/assets/app-1.js%00.js", "/assets/app-1.js.br",
    ],
)  # fmt: skip
def test_nothing_outside_of_the_built_files_is_served(opened: Opened, path: str):
    seen = opened().get(path, headers={"Accept": "*/*"})
    assert "secret" not in seen.text
    assert seen.status_code == 404


def test_a_console_that_is_not_built_says_how(opened: Opened, tmp_path: Path):
    client = opened(root=tmp_path / "none")
    seen = client.get("/", headers={"Accept-Language": "en"})
    assert seen.status_code == 503
    assert "make web" in seen.text
    chinese = client.get("/", headers={"Accept-Language": "zh"}).text
    assert "make web" in chinese
    assert "控制台" in chinese
    assert client.get("/api/v1/tasks").status_code == 200


def test_the_token_becomes_a_cookie_that_opens_the_api(opened: Opened):
    client = opened(TOKEN)
    assert client.get("/").text == PAGE  # no data in it
    assert client.get("/api/v1/tasks").status_code == 401
    assert client.get("/api/v1/session").json() == {"needs_token": True, "signed_in": False}
    assert client.post("/api/v1/session", json={"token": "wrong"}).status_code == 401
    assert not client.cookies
    said = client.post("/api/v1/session", json={"token": TOKEN})
    assert said.status_code == 204
    written = said.headers["set-cookie"]
    assert TOKEN not in written
    assert "HttpOnly" in written
    assert "SameSite=strict" in written
    assert "Secure" not in written
    assert client.get("/api/v1/tasks").status_code == 200
    assert client.get("/api/v1/session").json() == {"needs_token": True, "signed_in": True}
    evil = {"Origin": "http://evil.example"}
    assert client.delete("/api/v1/tasks/x", headers=evil).status_code == 403
    client.delete("/api/v1/session")
    assert client.get("/api/v1/tasks").status_code == 401


def test_over_https_the_cookie_is_for_https_alone(opened: Opened):
    client = opened(TOKEN, url="https://box.example")
    written = client.post("/api/v1/session", json={"token": TOKEN}).headers["set-cookie"]
    assert "; Secure" in written


def test_a_cookie_that_is_old_or_anothers_or_changed_opens_nothing(opened: Opened):
    client, name = opened(TOKEN), cookie.name(TOKEN)
    good = cookie.value(TOKEN)
    old = cookie.value(TOKEN, at=time.time() - cookie.SECONDS - 1)
    _, ends, sign = good.split(".")
    wrong = [old, cookie.value("another"), f"v1.{int(ends) + 9}.{sign}", f"v1.{ends}.", "", TOKEN]
    for value in wrong:
        seen = client.get("/api/v1/tasks", headers={"Cookie": f"{name}={value}"})
        assert seen.status_code == 401, value
    assert client.get("/api/v1/tasks", headers={"Cookie": f"{name}={good}"}).status_code == 200
    # A token that is shown is judged by itself.
    both = {"Cookie": f"{name}={good}", "Authorization": "Bearer wrong"}
    assert client.get("/api/v1/tasks", headers=both).status_code == 401


def test_without_a_token_every_browser_is_signed_in(opened: Opened):
    client = opened()
    assert client.get("/api/v1/session").json() == {"needs_token": False, "signed_in": True}
    assert client.post("/api/v1/session", json={"token": "any"}).status_code == 204
    assert not client.cookies
