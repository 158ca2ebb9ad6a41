"""docs/glossary.md is the law: what it retires is gone, and what it names is where it says."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

from tests.architecture import glossary, names, source
from tests.architecture.names import Name
from tests.architecture.source import ROOT

TERMS = glossary.read(ROOT / "docs" / "glossary.md")
RULES = [rule for term in TERMS for rule in term.retired]
MODULES = source.read(ROOT, "tandem", "tests", "benchmarks")
# A name and the place in which the wire asks for it, and why. Nothing else belongs here.
WIRE: Mapping[tuple[str, str], str] = {
    (
        "pictures",
        "tandem/spec/annotation.py",
    ): "a field of an annotation's spec, in REST and on disk",
    ("quantise", "tandem/spec/run/student.py"): "a field of LoraSpec, in every saved spec",
    (
        "inference_id",
        "tandem/server",
    ): "a field of an annotation's JSON, and the address's parameter",
    ("inferenceId", "tandem/server"): "the same as surface A asks for it",
    ("kind", "tandem/server/events/schemas.py"): "a field of a curve's JSON",
    ("kind", "tandem/server/http/health.py"): "a field of the data base's health",
}
FRONT_END_WIRE: Mapping[str, str] = {
    "artefacts": "a list in the answer of /tasks/{id}/artefacts",
    "inference_id": "a field of an annotation's JSON",
    "pictures": "a field of an annotation's request",
    "quantise": "a knob of LoRA in a request",
}


@cache
def python_names() -> list[Name]:
    return [
        name
        for module in MODULES
        if "migrations/versions" not in module.path.as_posix()  # the past is not renamed
        for name in names.in_python(module)
        if exception(name) is None
    ]


def exception(name: Name) -> tuple[str, str] | None:
    """The entry of WIRE that lets a name stay, if one does."""
    path = name.path.as_posix()
    return next(
        (one for one in WIRE if one[0] == name.text and f"{path}/".startswith(f"{one[1]}/")), None
    )


def front_end_names() -> list[Name]:
    """The console's names; the wire excuses what a file says, not what it is called."""
    return [
        name
        for name in names.in_front_end(ROOT, "frontend/src")
        if name.sort == "module" or name.text not in FRONT_END_WIRE
    ]


def broken(found: list[Name], *, in_console: bool) -> list[str]:
    """What is retired among these names, as `file:line sort name -> what to say`, each once."""
    rules = [rule for rule in RULES if not in_console or rule.sort in ("word", "module")]
    return sorted(
        {f"{name}  ->  {rule.instead}" for name in found for rule in rules if rule.matches(name)}
    )


def test_no_retired_name_is_left_in_python():
    left = broken(python_names(), in_console=False)
    assert not left, f"{len(left)} names that docs/glossary.md retires:\n" + "\n".join(left)


def test_no_retired_word_is_left_in_the_console():
    left = broken(front_end_names(), in_console=True)
    assert not left, f"{len(left)} names that docs/glossary.md retires:\n" + "\n".join(left)


def test_every_term_lives_where_the_glossary_says():
    """A term set as code is declared in its home, as a name or as a part of one."""
    declared: dict[str, set[str]] = {}
    for name in [*python_names(), *names.in_front_end(ROOT, "frontend/src")]:
        declared.setdefault(name.path.as_posix(), set()).update((name.text, *name.words))
    wrong = [
        f"docs/glossary.md:{term.line} `{word or term.home}` is not in {term.home}"
        for term in TERMS
        for word in (term.words or ("",))
        if not lives(word, term.home, declared)
    ]
    assert not wrong, "\n" + "\n".join(wrong)


def lives(word: str, home: str, declared: Mapping[str, set[str]]) -> bool:
    if not word:
        return (ROOT / home).exists()
    return any(
        {word, f"{word}s"} & texts
        for path, texts in declared.items()
        if path == home or path.startswith(f"{home}/")
    )


def test_every_exception_is_needed():
    """An exception whose name has gone, or was never retired, is taken off the list."""
    everything = [name for module in MODULES for name in names.in_python(module)]
    used = {exception(name) for name in everything if any(rule.matches(name) for rule in RULES)}
    assert not set(WIRE) - used


@pytest.mark.parametrize(
    ("rule", "text", "sort", "is_retired"),
    [
        ("word catalogue", "useCatalogues", "variable", True),
        ("word catalogue", "_read_catalogue", "function", True),
        ("word catalogue", "catalog", "module", False),
        ("word quantis*", "QUANTISED", "variable", True),
        ("word quantis*", "quantized", "variable", False),
        ("word data_set", "dataSetId", "variable", True),
        ("word data_set", "DATA_SETS", "variable", True),
        ("word data_set", "dataset", "variable", False),
        ("word data_set", "set_data", "function", False),
        ("method say", "say", "method", True),
        ("method say", "say", "function", False),
        ("name worth", "worth", "parameter", True),
        ("name worth in tandem/predict", "worth", "parameter", False),
        ("name worth in tandem/train", "worth", "parameter", True),
    ],
)
def test_a_rule_retires_what_it_says_and_no_more(rule, text, sort, is_retired):
    row = f"| term | meaning | `tandem` | `{rule}` |"
    (retired,) = glossary._term([cell.strip() for cell in row.strip("|").split("|")], 1).retired
    assert retired.matches(Name(text, sort, Path("tandem/train/x.py"), 1)) is is_retired


def test_names_in_the_front_end_are_those_of_code():
    text = (
        "<script setup>\n// picture\nconst one = 'picture' + `a ${kept} picture`\n</script>\n"
        '<template><PictureGrid title="picture" :of="shown[\'picture\']">picture {{ seen }}'
        "</PictureGrid></template>"
    )
    found = [str(name) for name in names._tokens(Path("x.vue"), text)]
    assert [one.split()[-1] for one in found] == [
        "const",
        "one",
        "kept",
        "PictureGrid",
        "shown",
        "seen",
    ]
    assert found[0].startswith("x.vue:3 ")
