"""The words that Typer itself adds to help pages and errors, in the reader's language.

Typer carries its own copy of Click, whose words are English and constant. Only what is printed
is changed here; how arguments are read stays Typer's.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

import typer
from pydantic import ValidationError
from typer.core import TyperCommand, TyperGroup

from tandem.spec.errors import SpecError
from tandem.spec.i18n import WIDE_STOPS, t

if TYPE_CHECKING:
    from typer._click.core import Command as AnyCommand
    from typer._click.core import Context
    from typer._click.exceptions import NoSuchOption
    from typer._click.exceptions import UsageError as AnyUsageError
    from typer.core import TyperOption, _TyperParameter

F = TypeVar("F", bound=Callable[..., object])
WORDS = (
    "Usage:",
    "Arguments:",
    "Options:",
    "Commands:",
    "[required]",
    "[default:",
)
UsageError = cast("type[AnyUsageError]", typer.BadParameter.__mro__[1])
"""Click's, wherever this Typer keeps its Click."""


def translate_page(page: str) -> str:
    """A help page with Typer's own words replaced."""
    for word in WORDS:
        translated = t(word)
        if translated.endswith(WIDE_STOPS):  # it brings its own space
            page = page.replace(f"{word} ", translated)
        page = page.replace(word, translated)
    return page


def _help_option(option: TyperOption | None) -> TyperOption | None:
    if option is not None:
        option.help = t("Show this message and exit.")
    return option


class Command(TyperCommand):
    def get_help(self, ctx: Context) -> str:
        return translate_page(super().get_help(ctx))

    def get_help_option(self, ctx: Context) -> TyperOption | None:
        return _help_option(super().get_help_option(ctx))


class Group(TyperGroup):
    def get_help(self, ctx: Context) -> str:
        return translate_page(super().get_help(ctx))

    def get_help_option(self, ctx: Context) -> TyperOption | None:
        return _help_option(super().get_help_option(ctx))

    def resolve_command(
        self, ctx: Context, args: list[str]
    ) -> tuple[str | None, AnyCommand | None, list[str]]:
        name = args[0]
        if not name.startswith("-") and name not in self.commands:
            # Imported here: its package brings the whole RunSpec, which `--help` can do without.
            from tandem.spec.run.suggest import nearest

            near = nearest(name, self.commands)
            raise SpecError(
                "There is no command {name}; did you mean {near}?"
                if near
                else "There is no command {name}.",
                name=name,
                near=near,
                allowed=self.commands,
            )
        return super().resolve_command(ctx, args)


class Program(typer.Typer):
    """A Typer whose commands speak the reader's language."""

    def command(self, name: str | None = None, **options: Any) -> Callable[[F], F]:
        return super().command(name, cls=Command, **options)


def run_program(program: typer.Typer, name: str) -> object:
    """Run it; a fault in the arguments as one sentence. The exit code, or what was returned."""
    try:
        return program(prog_name=name, standalone_mode=False)
    except UsageError as error:
        return _report_usage_error(error)


def _refusal(error: typer.BadParameter, name: str) -> SpecError:
    cause = error.__cause__
    if isinstance(cause, ValidationError):
        from tandem.spec.run.check import rule

        fault = cause.errors(include_url=False)[0]
        return SpecError("{faults}", faults=rule(fault, name), got=fault["input"])
    reason = error.message.rstrip(".")
    return SpecError("{field} is not right: {reason}.", field=name, reason=reason)


def _param_name(param: _TyperParameter) -> str:
    return str(param.get_error_hint()).replace("'", "")


def _report_usage_error(error: AnyUsageError) -> int:
    name = type(error).__name__  # the classes move between versions of Typer; their names stay
    if name == "NoArgsIsHelpError":
        print(error.format_message(), file=sys.stderr)
        return int(error.exit_code)
    command = error.ctx.command_path if error.ctx else "tandem"
    if name == "NoSuchOption":
        raise SpecError(
            "There is no flag {word}.",
            word=cast("NoSuchOption", error).option_name,
            fix="`{command} --help` lists them all.",
            command=command,
        ) from error
    if isinstance(error, typer.BadParameter) and error.param is not None:
        field_name = _param_name(error.param)
        if name != "MissingParameter":
            raise _refusal(error, field_name) from error
        raise SpecError(
            "Missing: {missing}.",
            missing=field_name,
            fix="`{command} --help` lists them all.",
            command=command,
        ) from error
    raise SpecError(
        "The arguments are not understood: {reason}.",
        reason=error.format_message().rstrip("."),
        fix="`{command} --help` lists them all.",
        command=command,
    ) from error
