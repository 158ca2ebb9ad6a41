"""Every sentence Tandem shows exists in Chinese, and zh.json holds nothing else."""

from __future__ import annotations

import ast
import json
import os
import string
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import tandem
from tandem.commands.i18n import translate_page
from tandem.config.keys import KEYS
from tandem.spec.i18n import chinese, joined, t
from tandem.spec.run import RunSpec, check
from tandem.spec.run.fields import SECTIONS, fields
from tandem.spec.run.knobs import KNOBS, paragraphs

PACKAGE = Path(tandem.__file__).parent

VARIABLES = {
    ("commands/machine/catalog.py", 't(one["about"])'): "catalog.json: `_catalog` below",
    ("commands/machine/config.py", "t(key.about)"): "KEYS: `templates` below",
    ("config/findings.py", "t(purpose)"): "_EXTRAS: `_listed` below",
    ("commands/runs/flags.py", "t(text)"): "the first line of a field's docstring: `_fields` below",
    ("commands/terminal.py", "t(head)"): "a table's heads: `_heads` below",
    ("commands/service/submit.py", "t(about)"): "OWN: `_listed` below",
    ("commands/i18n.py", "t(word)"): "WORDS: `_listed` below",
    ("data/faults.py", "t(self.template, **self.fields)"): "what `faults.add` was given: `_found`",
    ("data/formats/coco/rows.py", "t(shape)"): "what its readers return: `_found` below",
    ("data/formats/labelme/shapes.py", "t(shape)"): "the same",
    ("data/formats/labelstudio/layout.py", "t(problem)"): "the same",
    ("data/formats/voc/objects.py", "t(shape)"): "the same",
    ("data/reading/tables.py", "t(SEPARATORS[separator])"): "SEPARATORS: `_listed` below",
    ("spec/run/check.py", 't(str(context["error"]))'): "ValueErrors of spec/run: `_faults` below",
    ("spec/run/check.py", "t(_SAYS[fault_type], field=shown, **context)"): "_SAYS: `_faults` below",
    ("spec/errors.py", "t(template, **fields)"): "what an error was given: collected there",
    ("server/http/boundary.py", "t(words)"): "HTTP_WORDS: `_listed` below",
    (
        "server/http/boundary.py",
        't(str(context.get("error", fault["msg"])))',
    ): "ValueErrors of the wire: `_faults` below",
    (
        "server/samples/service.py",
        "t(str(name))",
    ): "score_name of train/predictions: `_scores` below",
    ("server/tasks/creation/create.py", "t(why)"): "SERVICES_OWN: `_listed` below",
    (
        "server/tasks/service.py",
        'ConflictError(what, fix=fix, state=found["status"])',
    ): "what `_cannot` was given: collected there",
    ("spec/run/fields.py", "t(title)"): "SECTIONS: `_knobs` below",
    ("spec/run/fields.py", "t(knob.title)"): "beside each field: test_every_knob_is_chinese",
    ("spec/run/fields.py", "t(english)"): "the same",
    ("spec/run/fields.py", 't(str(one.get("title", name)))'): "beside each plug-in, in the catalog",
    (
        "spec/run/fields.py",
        "t(one)",
    ): "the docstrings of spec/run: the same, and `_knobs` of the sections",
    ("server/compat_training/service.py", 't(entry["about"])'): "catalog.json: `_catalog` below",
    ("server/system/service.py", 't(entry["about"])'): "catalog.json: `_catalog` below",
    ("train/demo/summary.py", "t(head)"): "a table's heads: `_heads` below",
    ("train/pipeline/run.py", "t(run.kind.primary_metric_name)"): "FIGURES: `_listed` below",
    ("train/pipeline/reported.py", "t(name)"): "a kind's figure: FIGURES, `_listed` below",
    ("train/pipeline/model_card.py", "t(student.best_epoch_by)"): "FIGURES: `_listed` below",
    ("commands/models/evaluate.py", "t(name)"): "the same figures",
    ("commands/runs/report.py", "t(name)"): "intervals are of FIGURES: `_listed` below",
    (
        "train/data/inspect_files.py",
        "t(one.what, **one.fields)",
    ): "an error that was raised already",
    ("train/pipeline/model_card.py", "t(name)"): "FIGURES, and the speeds: `_listed` below",
    ("train/pretrained/checkpoint.py", "t(one)"): "WHAT_IS_ALLOWED: `_listed` below",
    ("train/sinks/lines.py", "t(name)"): "the same figures",
    ("train/sinks/lines.py", "t(event.figure)"): "the same figures",
}
"""Calls whose template is no constant, and where their templates are found instead."""

ALIKE = {
    "AdamW", "Adam", "SGD", "Adagrad", "CPU", "{faults}", ", ", "{reason}", "{reason}.", "25 %",
    "75 %", "{target}: {format}, {kind}; {parts}.", "{format}, {kind}; {parts}.",
    "{field}: {reason}.", "{what}: {fix}", "{version}, {built}", "hub id", "onnx", "ECE", "F1",
    "MB", "top-5", "CutMix", "LoRA", "MixUp", "{advice}",
}  # fmt: skip
"""Templates that are the same in both languages, or names."""


@cache
def _trees() -> dict[str, ast.Module]:
    files = sorted(PACKAGE.rglob("*.py"))
    return {str(f.relative_to(PACKAGE)): ast.parse(f.read_text("utf-8")) for f in files}


def _named(name: str) -> list[ast.Module]:
    """The files of a name, in whichever folder they lie."""
    return [tree for file, tree in _trees().items() if Path(file).name == name]


@cache
def _errors() -> frozenset[str]:
    """Every class that is, at whatever distance, a TandemError."""
    found = {"TandemError"}
    classes = [n for tree in _trees().values() for n in ast.walk(tree)
               if isinstance(n, ast.ClassDef)]  # fmt: skip
    while True:
        more = {c.name for c in classes if {ast.unparse(b) for b in c.bases} & found} - found
        if not more:
            return frozenset(found)
        found |= more


@cache
def _makers() -> frozenset[str]:
    """Functions that make an error of the sentences they are given."""
    return frozenset(
        node.name
        for tree in _trees().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        and node.returns is not None
        and ast.unparse(node.returns) in _errors()
    )


@cache
def _own() -> frozenset[str]:
    """Errors that take no sentence: they bring their own (`_supers` below)."""
    return frozenset(
        node.name
        for tree in _trees().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and node.name in _errors() - {"TandemError"}
        for one in node.body
        if isinstance(one, ast.FunctionDef) and one.name == "__init__"
        if [arg.arg for arg in one.args.args[1:2]] != ["what"]
    )


def _sentences(call: ast.Call) -> list[ast.expr]:
    given = [*call.args, *(one.value for one in call.keywords)]
    return [
        one
        for one in given
        if isinstance(one, ast.Constant) and isinstance(one.value, str) and " " in one.value
    ]


def _supers(tree: ast.Module) -> set[ast.Call]:
    """What an error of ours gives to the one it is made from."""
    return {
        node
        for one in ast.walk(tree)
        if isinstance(one, ast.ClassDef) and one.name in _errors()
        for node in ast.walk(one)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "super().__init__"
    }


def _calls() -> Iterator[tuple[str, ast.Call, list[ast.expr]]]:
    """Each call that shows something: its file and the expressions that are templates."""
    for file, tree in _trees().items():
        supers = _supers(tree)
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            if node in supers or ast.unparse(node.func) in _makers():
                yield file, node, _sentences(node)
                continue
            if ast.unparse(node.func) == "t":
                yield file, node, node.args[:1]
            elif ast.unparse(node.func) in _errors() - _own():
                fixes = [one.value for one in node.keywords if one.arg == "fix"]
                yield file, node, [*node.args[:1], *fixes]


def _constants(template: ast.expr) -> list[str] | None:
    """The texts it can be; None for one that only running the code would tell."""
    match template:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.Constant(value=None):
            return []
        case ast.IfExp(body=one, orelse=other):
            first, second = _constants(one), _constants(other)
            return None if first is None or second is None else first + second
        case _:
            return None


def _heads() -> Iterator[str]:
    """Literal heads of print_table, and of the demonstration's table."""
    for tree in _trees().values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "print_table":
                yield from _strings(node.args[1])
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "heads":
                yield from _strings(node.value)


def _strings(node: ast.AST) -> Iterator[str]:
    yield from (
        n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)
    )


def _listed() -> Iterator[str]:
    """Tuples and tables of words, by their names."""
    for file, name in (
        ("i18n.py", "WORDS"),
        ("submit.py", "OWN"),
        ("model_card.py", "FIGURES"),
        ("findings.py", "_EXTRAS"),
        ("checkpoint.py", "WHAT_IS_ALLOWED"),
        ("create.py", "SERVICES_OWN"),
        ("boundary.py", "HTTP_WORDS"),
        ("tables.py", "SEPARATORS"),
    ):
        [node] = [n for tree in _named(file) for n in tree.body
                  if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == name]  # fmt: skip
        value = ast.literal_eval(node.value)
        if isinstance(value, dict):
            yield from (one if isinstance(one, str) else one[0] for one in value.values())
        else:
            yield from (one if isinstance(one, str) else one[1] for one in value)
    yield from ("latency_milliseconds", "throughput_images_per_second")


def _scores() -> Iterator[str]:
    """What a run's samples are ordered by: written to its file, and shown by the server."""
    for file, tree in _trees().items():
        for node in ast.walk(tree) if file.startswith("train/predictions/") else ():
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "score_name":
                yield from _strings(node.value)


def _fields() -> Iterator[str]:
    from tandem.commands.runs.flags import BY_NAME

    about = check.paths()
    yield from (about.get(flag.path, "").split("\n")[0] for flag in BY_NAME.values())


def _knobs() -> Iterator[str]:
    """What a form says of each knob."""
    schema = RunSpec.model_json_schema()
    yield from SECTIONS.values()
    yield from (knob.title for knob in KNOBS.values())
    yield from (title for knob in KNOBS.values() for title, _ in knob.choices.values())
    said = [field.get("description", "") for _, field in fields(schema)]
    said += [one.get("description", "") for one in schema["$defs"].values()]
    for description in said:
        yield from paragraphs(description)


def _faults() -> Iterator[str]:
    yield from check._SAYS.values()
    wire = [file for file in _trees() if file.startswith("server/wire/")]
    files = ("base.py", "spec.py", "list_query.py", "schemas.py")
    named = [tree for one in files for tree in _named(one)]
    for tree in (*named, *(_trees()[file] for file in wire)):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "ValueError":
                yield from _strings(node.args[0])


def _found() -> Iterator[str]:
    """What is wrong with a data set: given to `faults.add`, or returned by those who look."""
    for file, tree in _trees().items():
        if not file.startswith(("data/", "commands/data/")):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("faults.add"):
                yield from _constants(node.args[-1]) or ()  # file and line may be starred
            if isinstance(node, ast.Return) and file.startswith("data/formats/"):
                said = node.value
                first = said.elts[0] if isinstance(said, ast.Tuple) and said.elts else said
                if isinstance(first, ast.Constant) and " " in str(first.value):
                    yield str(first.value)


def _catalog() -> Iterator[str]:
    catalog = json.loads((PACKAGE / "catalog.json").read_text("utf-8"))
    for group in ("students", "teachers", "losses", "kinds", "formats"):
        yield from (one["about"] for one in catalog[group])
        yield from (one["title"] for one in catalog[group] if "title" in one)


@cache
def templates() -> frozenset[str]:
    found = {key.about for key in KEYS} | {*_heads(), *_fields(), *_knobs(), *_faults()}
    found |= {*_catalog(), *_listed(), *_found(), *_scores()}
    for _, _, shown in _calls():
        for template in shown:
            found |= set(_constants(template) or ())
    return frozenset(found - {""})


def parts(template: str) -> set[tuple[str, str, str]]:
    """The fields of a template, with their conversions and formats."""
    return {(name, conversion or "", form or "")
            for _, name, form, conversion in string.Formatter().parse(template)
            if name is not None}  # fmt: skip


def test_every_sentence_has_chinese() -> None:
    missing = sorted(templates() - chinese().keys() - ALIKE)
    assert not missing, f"{len(missing)} without Chinese in zh.json:\n" + "\n".join(missing)


def test_no_entry_is_unused() -> None:
    unused = sorted(chinese().keys() - templates())
    assert not unused, f"{len(unused)} that nothing shows any more:\n" + "\n".join(unused)


def test_both_languages_fill_the_same_fields() -> None:
    wrong = {en: zh for en, zh in chinese().items() if parts(en) != parts(zh)}
    assert not wrong


def test_no_entry_is_empty_or_still_english() -> None:
    letters = {en for en, zh in chinese().items() if not any("一" <= one <= "鿿" for one in zh)}
    assert not letters - ALIKE


def test_what_is_translated_is_constant() -> None:
    loose = {
        (file, ast.unparse(call).replace("'", '"'))
        for file, call, shown in _calls()
        for template in shown
        if _constants(template) is None
    }
    known = set(VARIABLES)
    assert not loose - known, "an f-string or a variable is no key of zh.json"
    assert not known - loose, "exceptions that are none any more"


def test_nothing_is_shown_past_the_dictionary() -> None:
    """A literal or an f-string given to what people read would be English for everyone."""
    past = [
        f"{file}:{node.lineno}"
        for file, tree in _trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).rpartition(".")[2] in ("notice", "progress", "tell", "_tell")
        and node.args
        and isinstance(node.args[0], ast.Constant | ast.JoinedStr)
        and ast.unparse(node.args[0]) != "''"  # an empty line
    ]
    assert not past


def test_sentences_join_as_their_language_does() -> None:
    assert joined(["One.", "Two."]) == "One. Two."
    assert joined(["一。", "二。"]) == "一。二。"


def test_a_help_page_is_chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANDEM_LANG", "zh")
    assert translate_page("Usage: tandem\n\nOptions:\n") == "用法：tandem\n\n选项：\n"


def test_a_terminal_that_lacks_a_letter_gets_the_rest() -> None:
    """`²` is not in GBK, and nothing Chinese is in ASCII: no reason for a traceback."""
    for encoding in ("gbk", "ascii"):
        env = {**os.environ, "TANDEM_LANG": "zh", "PYTHONIOENCODING": encoding}
        command = [sys.executable, "-m", "tandem.cli", "catalog"]
        done = subprocess.run(command, env=env, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
        assert rb"T\xb2" in done.stdout


@pytest.mark.parametrize("language", ["zh", "zh_CN.UTF-8"])
def test_the_reader_gets_chinese(monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    monkeypatch.setenv("TANDEM_LANG", language)
    assert t("Got: {got}.", got=3) == "实际为：3。"
    assert t("of no language {x}", x=1) == "of no language 1"


if __name__ == "__main__":
    print(json.dumps(sorted(templates() - chinese().keys() - ALIKE), indent=0, ensure_ascii=False))
