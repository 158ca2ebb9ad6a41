"""Files and words that describe a run, none of which can be meant."""

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tandem.commands.guard import guarded
from tandem.commands.runs.train import train
from tandem.train.__main__ import main
from tests.acceptance.person import Person
from tests.train.engines.runs import events

KNOWN = "data: {{dataset: {data}}}\nteacher: {{path: {teacher}}}\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (KNOWN + "optim: {{learning_rate: .nan}}", ["optim.learning_rate", "finite"]),
        (KNOWN + "loss: {{temperature: .inf}}", ["loss.temperature", "finite"]),
        (KNOWN + "optim: {{epoch: 3}}", ["optim.epoch", "optim.epochs"]),
        (KNOWN + "optim: [1]", ["optim", "names and values"]),
        (KNOWN + "student: [1]", ["student", "names and values"]),
        (KNOWN + "loss: 3", ["loss", "3"]),
        (KNOWN + "cache: {{root: [1]}}", ["cache.root"]),
        (KNOWN.replace("{{dataset", "{{root: [1], dataset"), ["data.root"]),
        (KNOWN + "loss: {{intermediate_layers: [99]}}", ["99", "0, 1, 2, 3"]),
        (KNOWN + "data: {{dataset: x}}", ["data", "twice"]),
        ("? [1, 2]\n: 3", ["neither YAML nor JSON"]),
        ("[" * 5000, ["neither YAML nor JSON"]),
        ("!!python/object/apply:os.mkdir ['ran']", ["python/object/apply"]),
        ("3", ["names and values"]),
    ],
)
def test_a_spec_file_that_cannot_be(
    person: Person,
    data: Path,
    small_teacher: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    text: str,
    words: list[str],
) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text(text.format(data=data, teacher=small_teacher) if KNOWN[:5] in text else text)
    assert guarded(lambda: train([str(file), "--output_dir", str(person.output)])) == 2
    told = capfd.readouterr().err
    assert len(told.splitlines()) == 1, told
    assert all(word in told for word in words), told
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "arguments", [[], ["a", "b"], ["/nowhere"], ["/tmp"], ["/etc/hostname"]], ids=str
)
def test_the_trainer_wants_one_specification(
    arguments: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert len(capfd.readouterr().err.splitlines()) == 1


class _Page(http.server.BaseHTTPRequestHandler):
    """Some other program's: every address has the same page."""

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>Welcome</html>")

    do_GET = do_POST = do_PUT = _answer

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def page() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_web_page_at_the_address_is_not_taken_for_the_service(person: Person, page: str) -> None:
    code, told = person.types(api_base_url=page)
    assert code == 0, told
    said = events({"run": {"output_dir": str(person.output)}}, "notice")
    assert any("is the address right?" in one["message"] for one in said)
