"""Options that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

from tandem.spec.i18n import t

AsJson = Annotated[bool, typer.Option("--json", help=t("Print JSON."))]
PASS_THROUGH: dict[str, bool] = {"allow_extra_args": True, "ignore_unknown_options": True}
"""Settings of a command that reads its arguments itself, without Typer."""
