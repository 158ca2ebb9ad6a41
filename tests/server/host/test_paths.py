"""What a stored path means once links are followed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tandem.server.host.paths import really_below


@pytest.fixture
def roots(tmp_path: Path) -> tuple[Path, Path]:
    first, second = tmp_path / "first", tmp_path / "second"
    for one in (first, second):
        (one / "in").mkdir(parents=True)
        (one / "in" / "file").write_text("1")
    (first / "to-second").symlink_to(second / "in")
    (first / "out").symlink_to(tmp_path)
    (first / "itself").symlink_to(first)
    (first / "circle").symlink_to(first / "circle")
    (tmp_path / "link-to-first").symlink_to(first)
    (tmp_path / "first-and-more").mkdir()
    return first, second


def test_what_is_below_is_given_as_it_really_is(roots: tuple[Path, Path]) -> None:
    first, second = roots
    file = first / "in" / "file"
    assert really_below(file, first) == file
    assert really_below(first / "in" / ".." / "in" / "file", first) == file
    assert really_below(first.parent / "link-to-first" / "in" / "file", first) == file
    assert really_below(file, first.parent / "link-to-first") == file
    assert really_below(first / "to-second" / "file", first, second) == second / "in" / "file"
    assert really_below(first / "not there yet", first) == first / "not there yet"


@pytest.mark.parametrize(
    "name",
    ["", "..", "out/second/in/file", "itself", "to-second/file", "../first-and-more", "a\0b"],
)
def test_what_leads_out_or_is_the_root_is_nowhere(roots: tuple[Path, Path], name: str) -> None:
    assert really_below(roots[0] / name, roots[0]) is None


def test_a_circle_of_links_does_no_harm(roots: tuple[Path, Path]) -> None:
    found = really_below(roots[0] / "circle" / "file", roots[0])
    assert found is None or not found.exists()
