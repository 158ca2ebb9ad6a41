"""The code in the documents is real: it runs, and it names what is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tandem.cli import app
from tandem.client.errors import UnreachableError
from tandem.commands.runs import flags
from tandem.config.files import read_tree
from tandem.config.fill import fill
from tandem.config.settings import load
from tandem.spec.run import StudentSpec
from tandem.train.registry import find, register

ROOT = Path(__file__).parents[2]
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


def blocks(document: str, language: str) -> list[str]:
    text = (ROOT / document).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.S)


@pytest.fixture
def documented() -> Iterator[None]:
    """The student of docs/student.md, registered for one test."""
    (code,) = blocks("docs/student.md", "python")
    exec(compile(code, "docs/student.md", "exec"), {"__name__": "tandem_docs"})
    yield
    del register.entries["students", "foo"]


def test_the_documented_student_works(documented: None) -> None:
    student = find("students", "foo").make(StudentSpec(type="foo", size="foo"), 5, 32)
    out = student(torch.rand(2, 3, 32, 32))
    assert out.logits_BK.shape == (2, 5)
    assert out.pooled_BD.shape == (2, student.pooled_width)
    side = student.tokens_grid
    assert out.tokens_BHWD.shape == (2, side, side, student.tokens_width)


def test_the_quick_start_s_files_are_read(tmp_path: Path, home: Path) -> None:
    run, settings = blocks("docs/quickstart.md", "yaml")
    file = tmp_path / "run.yaml"
    file.write_text(run, encoding="utf-8")
    (Path.cwd() / "tandem.yaml").write_text(settings, encoding="utf-8")
    configured = load()
    assert configured.path("datasets_root") == Path("/data/datasets")
    spec, notes = fill(read_tree(file), {}, configured)
    assert spec.report.baseline
    assert spec.task_id == "pictures-resnet50"
    assert notes == []


@pytest.mark.parametrize("document", ["README.md", "README.zh-CN.md", "docs/quickstart.md"])
def test_every_training_command_shown_is_understood(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8").replace("\\\n", " ")
    shown = re.findall(r"tandem train ([^`\n#]+)", text)
    assert shown
    for words in shown:
        flags.parse_arguments([word for word in words.split() if word != "…"])


@pytest.mark.parametrize(
    "document", ["README.md", "README.zh-CN.md", "docs/quickstart.md", "docs/service.md"]
)
def test_every_service_command_shown_is_understood(
    document: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each reaches the service: nobody is there, which is said only after the arguments are."""
    monkeypatch.setenv("TANDEM_SERVER_URL", "http://127.0.0.1:9")
    said = {"tandem submit", "tandem tasks", "tandem follow", "tandem logs", "tandem stop",
            "tandem resume", "tandem model"}  # fmt: skip
    lines = [line.partition("#")[0] for block in blocks(document, "bash")
             for line in block.replace("\\\n", " ").splitlines()]  # fmt: skip
    shown = [line.split() for line in lines if " ".join(line.split()[:2]) in said]
    assert shown
    Path("run.yaml").write_text("data: {dataset: d}\nteacher: {path: t}\n")
    for _, *words in shown:
        with pytest.raises(UnreachableError):
            app(words, standalone_mode=False)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_and_commands_lead_somewhere(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (document.parent / link).exists(), link
    known = {command.name for command in app.registered_commands if command.name}
    known |= {str(command.callback.__name__) for command in app.registered_commands}
    known |= {group.name for group in app.registered_groups}
    for command in re.findall(r"(?:`|bin/)tandem (\w+)", text):
        assert command in known, command


def test_both_readmes_show_the_same() -> None:
    english, chinese = (
        re.findall(r"^(?:#+ |```\w*$|\d\. )", (ROOT / name).read_text(encoding="utf-8"), re.M)
        for name in ("README.md", "README.zh-CN.md")
    )
    assert english == chinese
