"""The words that Typer itself adds to help pages and errors, in the reader's language.

Typer carries its own copy of Click, whose words are English and constant. Only what is printed
is changed here; how arguments are read stays Typer's.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, cast

import typer
from pydantic import ValidationError
from typer.core import TyperCommand, TyperGroup

from tandem.spec.errors import SpecError
from tandem.spec.i18n import WIDE_STOPS, t
from tandem.spec.suggest import nearest

WORDS = (
    "Usage:",
    "Arguments:",
    "Options:",
    "Commands:",
    "[required]",
    "[default:",
)
UsageError = cast(type[Exception], typer.BadParameter.__mro__[1])
"""Click's, wherever this Typer keeps its Click."""


def translated(page: str) -> str:
    """A help page with Typer's own words replaced."""
    for word in WORDS:
        said = t(word)
        if said.endswith(WIDE_STOPS):  # it brings its own space
            page = page.replace(f"{word} ", said)
        page = page.replace(word, said)
    return page


def _help_option(option: Any) -> Any:
    if option is not None:
        option.help = t("Show this message and exit.")
    return option


class Command(TyperCommand):
    def get_help(self, ctx: Any) -> str:
        return translated(super().get_help(ctx))

    def get_help_option(self, ctx: Any) -> Any:
        return _help_option(super().get_help_option(ctx))


class Group(TyperGroup):
    def get_help(self, ctx: Any) -> str:
        return translated(super().get_help(ctx))

    def get_help_option(self, ctx: Any) -> Any:
        return _help_option(super().get_help_option(ctx))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name = args[0]
        if not name.startswith("-") and name not in self.commands:
            raise SpecError(
                "There is no command {name}; did you mean {near}?",
                name=name,
                near=nearest(name, self.commands),
                allowed=self.commands,
            )
        return super().resolve_command(ctx, args)


class Program(typer.Typer):
    """A Typer whose commands speak the reader's language."""

    def command(self, name: str | None = None, **options: Any) -> Callable[[Any], Any]:
        return super().command(name, cls=Command, **options)


def run_program(program: typer.Typer, name: str) -> object:
    """Run it; a fault in the arguments as one sentence. The exit code, or what was returned."""
    try:
        return program(prog_name=name, standalone_mode=False)
    except UsageError as error:
        return _told(error)


def _refusal(error: Any, shown: str) -> SpecError:
    cause = error.__cause__
    if isinstance(cause, ValidationError):
        from tandem.spec.check import rule

        fault = cause.errors(include_url=False)[0]
        return SpecError("{faults}", faults=rule(fault, shown), got=fault["input"])
    reason = error.message.rstrip(".")
    return SpecError("{field} is not right: {reason}.", field=shown, reason=reason)


def _called(param: Any) -> str:
    return str(param.get_error_hint()).replace("'", "")


def _told(error: Any) -> int:
    kind = type(error).__name__
    if kind == "NoArgsIsHelpError":
        print(error.format_message(), file=sys.stderr)
        return int(error.exit_code)
    command = error.ctx.command_path if error.ctx else "tandem"
    if kind == "NoSuchOption":
        raise SpecError(
            "There is no flag {word}.",
            word=error.option_name,
            fix="`{command} --help` lists them all.",
            command=command,
        ) from error
    if kind == "MissingParameter":
        raise SpecError(
            "Missing: {missing}.",
            missing=_called(error.param),
            fix="`{command} --help` lists them all.",
            command=command,
        ) from error
    if isinstance(error, typer.BadParameter) and error.param is not None:
        raise _refusal(error, _called(error.param)) from error
    raise SpecError(
        "The arguments are not understood: {reason}.",
        reason=error.format_message().rstrip("."),
        fix="`{command} --help` lists them all.",
        command=command,
    ) from error
