"""`tandem data check|convert|split|stats|upload`. Each imports its part when it is called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tandem.commands.i18n import Group, Program
from tandem.commands.options import AsJson
from tandem.spec.i18n import t

Folder = Annotated[Path, typer.Argument(metavar="PATH", help=t("The data set's folder."))]
DataKind = Annotated[
    str | None,
    typer.Option(
        metavar="KIND",
        help=t("What is wanted of it, where its layout can mean several: segmentation, …"),
    ),
]
Layout = Annotated[
    str | None,
    typer.Option(
        "--type",
        metavar="NAME",
        help=t("What it is to be read as, where its folder can be read in several ways: yolo, …"),
    ),
]
VAL_SHARE = 0.15

data = Program(cls=Group, help=t("Check, convert, split and measure data sets."))


def add_to(app: Program) -> None:
    """Beside the other commands."""
    app.add_typer(data, name="data", no_args_is_help=True)


@data.command("check", help=t("List everything that is wrong with a data set; exit 2 if it is."))
def check(
    path: Folder, kind: DataKind = None, layout: Layout = None, as_json: AsJson = False
) -> None:
    from tandem.commands.data.check import check as run

    raise typer.Exit(run(path, kind, layout, as_json))


@data.command("convert", help=t("Write a data set in another layout, and say what it cannot hold."))
def convert(
    source: Annotated[Path, typer.Argument(help=t("The data set's folder."))],
    target: Annotated[Path, typer.Argument(help=t("A new or empty folder."))],
    to: Annotated[str, typer.Option("--to", metavar="FORMAT", help=t("The layout to write."))],
    kind: DataKind = None,
    layout: Layout = None,
    leave_out: Annotated[
        bool, typer.Option("--leave-out", help=t("Leave out what is faulty, and say what was."))
    ] = False,
    as_json: AsJson = False,
) -> None:
    from tandem.commands.data.write import convert as run

    run(source, target, to, kind, layout, leave_out, as_json)


@data.command("split", help=t("Divide a data set into train and val anew."))
def split(
    path: Folder,
    val: Annotated[float, typer.Option("--val", help=t("The share for val."))] = VAL_SHARE,
    by: Annotated[
        str, typer.Option("--by", help=t("stratified, or group: what belongs together stays so."))
    ] = "stratified",
    group_pattern: Annotated[
        str | None,
        typer.Option(
            "--group-pattern",
            metavar="REGEX",
            help=t("For --by group: names in which it finds the same text are one group."),
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help=t("Another one, another split."))] = 0,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help=t("Where to; else only shown."))
    ] = None,
    kind: DataKind = None,
    layout: Layout = None,
    as_json: AsJson = False,
) -> None:
    from tandem.commands.data.write import split as run

    run(path, val, by, group_pattern, seed, output, kind, layout, as_json)


@data.command("clean", help=t("Take copies out of a data set: shown first, written anew."))
def clean(
    path: Folder,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help=t("A new or empty folder."))
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help=t("Do it; else it is only shown."))] = False,
    near: Annotated[
        bool, typer.Option("--near", help=t("Pictures that look nearly the same go too."))
    ] = False,
    leave_out: Annotated[
        bool, typer.Option("--leave-out", help=t("Leave out what is faulty, and say what was."))
    ] = False,
    kind: DataKind = None,
    layout: Layout = None,
    as_json: AsJson = False,
) -> None:
    from tandem.commands.data.clean import clean as run

    run(path, output, yes=yes, near=near, leave_out=leave_out, kind=kind, layout=layout,
        as_json=as_json)  # fmt: skip


@data.command("stats", help=t("Count classes, sizes and near copies."))
def stats(
    path: Folder,
    kind: DataKind = None,
    layout: Layout = None,
    chart: Annotated[
        Path | None, typer.Option("--picture", metavar="PNG", help=t("Draw it into this file."))
    ] = None,
    as_json: AsJson = False,
) -> None:
    from tandem.commands.data.stats import stats as run

    run(path, kind, layout, chart, as_json)


@data.command("fetch", help=t("Fetch what a query of tandem.yaml's data_sources gives."))
def fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", help=t("The data source's name."))],
    leave_out: Annotated[
        bool, typer.Option("--leave-out", help=t("Leave out what is faulty, and say what was."))
    ] = False,
    as_json: AsJson = False,
) -> None:
    from tandem.commands.data.fetch import fetch as run

    run(name, leave_out, as_json)


@data.command("upload", help=t("Send a ZIP to the service; called again, it goes on."))
def upload(
    file: Annotated[Path, typer.Argument(metavar="FILE.zip", help=t("The ZIP."))],
    name: Annotated[str, typer.Option("--name", help=t("What the data set is to be called."))],
    type: Annotated[
        str | None, typer.Option("--type", help=t("Its layout, if it is known: coco, yolo, …"))
    ] = None,
    server: Annotated[
        str | None,
        typer.Option("--server", metavar="URL", help=t("The service; else as configured.")),
    ] = None,
    as_json: AsJson = False,
) -> None:
    from tandem.commands.data.upload import upload as run

    run(file, name, type, server, as_json)
