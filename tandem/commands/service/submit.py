"""`tandem submit`: a task for the service, from the arguments of `tandem train`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tandem.client.client import Client
from tandem.client.connect import connect, is_local
from tandem.commands.runs import flags
from tandem.commands.service.follow import watch_interruptibly
from tandem.commands.terminal import print_json, print_status
from tandem.config.files import read_tree
from tandem.config.settings import load
from tandem.spec.errors import SpecError
from tandem.spec.i18n import t
from tandem.spec.run.legacy import FLAGS, MODEL, from_rest, get, is_rest, put

OWN = (
    ("--name NAME", "What the task is called; else after its data and its student."),
    ("--description TEXT", "A note for people."),
    ("--priority N", "Higher goes first; 0 where nothing is said."),
    ("--start/--no-start", "Queue it at once, or only keep it."),
    ("--follow", "Show the training to its end."),
    ("--json", "Print JSON."),
    ("--server URL", "The service; else the configured one."),
)
PATHS = ("data.root", "data.dataset", "data.val_dataset", "teacher.path", "student.path")
PLACES = {"run.output_dir": "--output_dir", "report.api_base_url": "--api_base_url"}
"""What the service decides itself."""


def submit(
    arguments: Sequence[str],
    *,
    name: str | None = None,
    description: str | None = None,
    priority: int = 0,
    start: bool = True,
    follow: bool = False,
    as_json: bool = False,
    server: str | None = None,
) -> int:
    """Create the task, print its id; with `follow`, the exit code of its run."""
    given = flags.parse_arguments(arguments)
    if given.help or not arguments:
        print(_help())
        return 0
    if follow and not start:
        raise SpecError("--follow has nothing to follow with --no-start.", fix="Leave one out.")
    _read_file(given)
    flags.require(given, [flag for flag in FLAGS if flag.name == "dataset_id"])
    with connect(server) as client:
        if is_local(client.url):
            _make_absolute(given.tree)
        name = name or _name(given.tree)
        _leave_out(given.tree)
        made = client.create(
            name, given.tree, description=description, priority=priority, start=start
        )
        if as_json:
            print_json(made.model_dump())
        else:
            _print(client, made.task_id, start)
        return watch_interruptibly(client, made.task_id) if follow else 0


def _read_file(given: flags.ParsedArguments) -> None:
    if given.spec is None:
        return
    tree = read_tree(given.spec)
    given.tree = flags.merge_trees(from_rest(tree) if is_rest(tree) else tree, given.tree)


def _make_absolute(tree: dict[str, object]) -> None:
    """The service works in another folder: what is a path here must be one there."""
    root = load().path("datasets_root")
    for path in PATHS:
        written = get(tree, path)
        if not isinstance(written, str) or not written:
            continue
        meant = Path(written).expanduser()
        is_path = written.startswith((".", "~"))
        known = path.startswith("data.") and (root / written).exists()
        if is_path or (not meant.is_absolute() and not known and meant.exists()):
            put(tree, path, str(meant.resolve()))


def _name(tree: dict[str, object]) -> str:
    """As `tandem train` calls the run."""
    task = tree.get("task_id")
    if isinstance(task, str) and task:
        return task
    data = Path(str(get(tree, "data.dataset"))).name
    student = get(tree, "student.size") or get(tree, MODEL)
    return f"{data}-{Path(str(student)).name}" if student else data


def _leave_out(tree: dict[str, object]) -> None:
    tree.pop("task_id", None)
    for path, flag in PLACES.items():
        section, _, field = path.partition(".")
        below = tree.get(section)
        if isinstance(below, dict) and below.pop(field, None) is not None:
            print_status(t("The service decides this itself; left out: {flag}", flag=flag))


def _print(client: Client, task_id: str, start: bool) -> None:
    print(task_id)
    print_status(t("It is at {url}", url=f"{client.url}/api/v1/tasks/{task_id}"))
    if start:
        print_status(t("`tandem follow {task}` shows it, `tandem tasks` the others.", task=task_id))
    else:
        print_status(t("`tandem resume {task}` starts it.", task=task_id))


def _help() -> str:
    own = "\n".join(f"  {flag:24} {t(about)}" for flag, about in OWN)
    usage = t("Usage: tandem submit [SPEC.yaml] [--flag value …] [--set section.field=value …]")
    return f"{usage}\n{own}\n\n{flags.describe({}, required=False)}"
