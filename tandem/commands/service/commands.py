"""The commands of the service: run it, and speak to it. Each imports its part when called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tandem.commands.i18n import Group, Program
from tandem.commands.options import PASS_THROUGH, AsJson
from tandem.spec.i18n import t

Server = Annotated[
    str | None, typer.Option("--server", metavar="URL", help=t("The service; else as configured."))
]
TaskId = Annotated[str, typer.Argument(metavar="TASK", help=t("The task's id."))]
Follow = Annotated[bool, typer.Option("--follow", "-f", help=t("Show it to its end."))]

db = Program(cls=Group, help=t("The service's data base."), no_args_is_help=True)
tasks = Program(cls=Group, help=t("The service's tasks, the newest first."))


def add_to(app: Program) -> None:
    """Beside the other commands."""
    app.command("serve", help=t("Run the service until Ctrl-C or SIGTERM."))(serve)
    app.add_typer(db, name="db")
    app.command(
        "submit",
        help=t("Give the service a task, with the arguments of `tandem train`."),
        context_settings=PASS_THROUGH,
        add_help_option=False,
    )(submit)
    app.add_typer(tasks, name="tasks", invoke_without_command=True, callback=list_tasks)
    app.command("follow", help=t("Show a task's training, live, from its beginning."))(follow)
    app.command("logs", help=t("Print a task's log."))(logs)
    app.command("stop", help=t("Save a checkpoint and stop a task."))(stop)
    app.command("resume", help=t("Start a task, or go on from its last checkpoint."))(resume)
    app.command("model", help=t("Download the model that a task has trained, as a ZIP."))(model)


def serve(
    host: Annotated[
        str | None, typer.Option(help=t("Where to listen; else this machine only."))
    ] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help=t("0: any free one."))] = None,
) -> None:
    from tandem.server.http.serve import serve as run

    raise typer.Exit(run(host, port))


@db.command("upgrade", help=t("Make or adopt the tables; nothing is lost."))
def db_upgrade(
    sample_data: Annotated[
        bool, typer.Option("--sample-data", help=t("Also add tasks to look at."))
    ] = False,
    as_json: AsJson = False,
) -> None:
    from tandem.commands.service.db import upgrade

    raise typer.Exit(upgrade(sample_data, as_json))


@db.command("status", help=t("Say whether the service can start on it."))
def db_status(as_json: AsJson = False) -> None:
    from tandem.commands.service.db import status

    raise typer.Exit(status(as_json))


@db.command("sample-data", help=t("Add tasks to look at."))
def db_sample_data(as_json: AsJson = False) -> None:
    from tandem.commands.service.db import sample_data

    raise typer.Exit(sample_data(as_json))


@db.command("downgrade", help=t("Go back to an older revision, if nothing is lost by it."))
def db_downgrade(
    revision: Annotated[str, typer.Argument(help=t("The revision to go back to."))],
    as_json: AsJson = False,
) -> None:
    from tandem.commands.service.db import downgrade

    raise typer.Exit(downgrade(revision, as_json))


def submit(
    context: typer.Context,
    name: Annotated[str | None, typer.Option("--name")] = None,
    description: Annotated[str | None, typer.Option("--description")] = None,
    priority: Annotated[int, typer.Option("--priority", min=-1000, max=1000)] = 0,
    start: Annotated[bool, typer.Option("--start/--no-start")] = True,
    follow: Annotated[bool, typer.Option("--follow", "-f")] = False,
    as_json: Annotated[bool, typer.Option("--json")] = False,
    server: Annotated[str | None, typer.Option("--server")] = None,
) -> None:
    from tandem.commands.service.submit import submit as run

    raise typer.Exit(
        run(
            context.args,
            name=name,
            description=description,
            priority=priority,
            start=start,
            follow=follow,
            as_json=as_json,
            server=server,
        )
    )


def list_tasks(
    context: typer.Context,
    status: Annotated[str | None, typer.Option(help=t("Only those in this state."))] = None,
    keyword: Annotated[str | None, typer.Option(help=t("Only those with this in them."))] = None,
    limit: Annotated[int, typer.Option(min=1, help=t("At most so many."))] = 20,
    as_json: AsJson = False,
    server: Server = None,
) -> None:
    if context.invoked_subcommand is not None:
        return
    from tandem.commands.service.tasks import list_all

    raise typer.Exit(list_all(status, keyword, limit, as_json, server))


@tasks.command("show", help=t("Print what is known of a task."))
def show_task(task: TaskId, as_json: AsJson = False, server: Server = None) -> None:
    from tandem.commands.service.tasks import show

    raise typer.Exit(show(task, as_json, server))


@tasks.command("rm", help=t("Delete a task that does not run."))
def remove_task(
    task: TaskId,
    files: Annotated[
        bool, typer.Option("--files", help=t("Its folder with the model, too."))
    ] = False,
    server: Server = None,
) -> None:
    from tandem.commands.service.tasks import remove

    raise typer.Exit(remove(task, files, server))


@tasks.command("gc", help=t("Show what old checkpoints take, and delete them with --yes."))
def collect_tasks(
    yes: Annotated[bool, typer.Option("--yes/--dry-run", help=t("Delete; else only say."))] = False,
    keep_every: Annotated[
        int | None, typer.Option(min=0, help=t("Keep every n-th epoch's, too."))
    ] = None,
    older_than_days: Annotated[
        float | None, typer.Option(min=0, help=t("Of runs that ended so long ago."))
    ] = None,
    as_json: AsJson = False,
    server: Server = None,
) -> None:
    from tandem.commands.service.tasks import collect

    raise typer.Exit(collect(yes, keep_every, older_than_days, as_json, server))


@tasks.command("move", help=t("Give a task that waits another place in the queue."))
def move_task(
    task: TaskId,
    to: Annotated[int, typer.Option("--to", min=1, help=t("The place; 1 is the next."))],
    server: Server = None,
) -> None:
    from tandem.commands.service.tasks import move

    raise typer.Exit(move(task, to, server))


def follow(task: TaskId, server: Server = None) -> None:
    from tandem.commands.service.follow import follow as run

    raise typer.Exit(run(task, server))


def logs(
    task: TaskId,
    lines: Annotated[
        int, typer.Option("-n", "--lines", min=1, max=10_000, help=t("The last so many."))
    ] = 100,
    follow: Follow = False,
    server: Server = None,
) -> None:
    from tandem.commands.service.logs import logs as run

    raise typer.Exit(run(task, lines, follow, server))


def stop(
    task: TaskId,
    pause: Annotated[
        bool, typer.Option("--pause", help=t("It keeps its place in the queue."))
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help=t("Come back when it has stopped."))] = False,
    server: Server = None,
) -> None:
    from tandem.commands.service.stop import stop as run

    raise typer.Exit(run(task, pause, wait, server))


def resume(task: TaskId, follow: Follow = False, server: Server = None) -> None:
    from tandem.commands.service.resume import resume as run

    raise typer.Exit(run(task, follow, server))


def model(
    task: TaskId,
    target: Annotated[Path, typer.Option("-o", "--output", help=t("The file to write."))],
    server: Server = None,
) -> None:
    from tandem.commands.service.tasks import download

    raise typer.Exit(download(task, target, server))
