"""`tandem demo`: real pictures, a small teacher, a student taught by it and the same one without.

All of it goes through the service, as a user's own tasks do; only the data and the teacher are
made here, under the service's roots. What is there from an earlier demonstration is used again.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from tandem.client.client import Client
from tandem.client.errors import RefusedError, ServiceError
from tandem.client.responses import Task
from tandem.commands.service.child import ChildService, child_service
from tandem.commands.service.follow import watch
from tandem.commands.terminal import print_status
from tandem.config.settings import Settings, load
from tandem.spec.errors import OutputFolderError, StoppedError
from tandem.spec.i18n import t
from tandem.spec.state import State
from tandem.train.sinks.lines import duration

DATASET, TEACHER = "tandem-demo-digits", "tandem-demo-teacher"
STOP_SECONDS = 60.0


@dataclass(frozen=True)
class DemoPaths:
    """Where everything lies."""

    dataset: Path
    teacher: Path
    runs: Path


def demo(output: Path | None, seeds: int) -> int:
    """Run it all and print the comparison; 0, or the code of the run that did not finish.

    The runs go to `output`, or where the service keeps all.
    """
    began = time.perf_counter()
    settings = load()
    plan = _plan(settings, output)
    with _terminable(), child_service({"TANDEM_OUTPUT_ROOT": str(plan.runs)}, settings) as service:
        print(t("The service is at {url}", url=service.client.url), flush=True)
        _prepare(plan)
        tasks: list[Task] = []
        for seed in range(seeds):
            print(
                "\n" + t("Run {number} of {count}: taught, then without the teacher.",
                         number=seed + 1, count=seeds),
                flush=True,
            )  # fmt: skip
            task = _task(service.client, plan, seed)
            code = _follow(service.client, task)
            if code != 0:
                return code
            tasks.append(task)
        _compare(service.client, tasks, plan.teacher)
        print(t("All of it took {duration}.", duration=duration(time.perf_counter() - began)))
        _leave(service, tasks)
    return 0


def _plan(settings: Settings, output: Path | None) -> DemoPaths:
    return DemoPaths(
        settings.path("datasets_root") / DATASET,
        settings.path("models_root") / TEACHER,
        output.expanduser().absolute() if output else settings.path("output_root"),
    )


def _prepare(plan: DemoPaths) -> None:
    from tandem.train.demo.prepare import prepare

    try:
        prepare(plan.dataset, plan.teacher)
    except OSError as error:
        raise OutputFolderError(
            "{folder} cannot be written: {reason}.",
            folder=error.filename or plan.dataset.parent,
            reason=error.strerror or error,
            fix="Set TANDEM_HOME to a folder you may write to.",
        ) from error


def _task(client: Client, plan: DemoPaths, seed: int) -> Task:
    """The one of an earlier demonstration, going on if it has to, or a new one."""
    from tandem.train.demo.prepare import make_request, recipe_of

    request = make_request(plan.dataset, plan.teacher, seed)
    name = f"demo-seed-{seed}"
    note = t("Made by `tandem demo`.") + f" [{recipe_of(request)}]"
    for task in client.tasks(keyword=name, limit=100):
        same = task.name == name and (task.description or "").endswith(note[-10:])
        if same and task.run_dir and Path(task.run_dir).parent == plan.runs:
            if task.status in (State.QUEUED, State.RUNNING) or _is_whole(client, task):
                return task
            if task.status != State.COMPLETED:
                return client.start(task.task_id)
    return client.create(name, request, description=note)


def _is_whole(client: Client, task: Task) -> bool:
    """Whether it is complete, and nobody has taken its folder away."""
    if task.status != State.COMPLETED:
        return False
    try:
        client.report(task.task_id)
    except RefusedError:
        return False
    return True


def _follow(client: Client, task: Task) -> int:
    """Show it to its end; who interrupts the demonstration stops its run too."""
    if task.status == State.COMPLETED:
        print(t("This run is finished; its model is in {path}.", path=task.model_path))
        return 0
    try:
        return watch(client, task.task_id)
    except (KeyboardInterrupt, StoppedError):
        _stop(client, task)
        raise


def _stop(client: Client, task: Task) -> None:
    print_status(t("Stopping the run; `tandem demo` goes on with it."))
    until = time.monotonic() + STOP_SECONDS
    try:
        now = client.stop(task.task_id)
        while not now.ended and time.monotonic() < until:
            time.sleep(0.2)
            now = client.task(task.task_id)
    except ServiceError as error:  # it ended just now, or the service did
        print_status(error.sentence())


def _compare(client: Client, tasks: Sequence[Task], teacher: Path) -> None:
    from tandem.train.demo.summary import print_summary

    reports = [client.report(task.task_id) for task in tasks]
    print_summary(reports, [Path(task.run_dir or "") for task in tasks], teacher)


def _leave(service: ChildService, tasks: Sequence[Task]) -> None:
    """On a terminal the service stays, to be looked at."""
    url = service.client.url
    for task in tasks:
        print(f"{task.name}: {url}/api/v1/tasks/{task.task_id}")
    if not sys.stdout.isatty():
        print(t("`tandem serve` opens these addresses again, and `tandem tasks` lists them."))
        return
    print(t("The service stays until Ctrl-C; `tandem serve` starts it again."), flush=True)
    try:
        service.wait()
    except (KeyboardInterrupt, StoppedError):
        print()


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM, and a terminal that is closed, end it in good order, as Ctrl-C does."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise StoppedError("Stopped; `tandem demo` goes on from here.")

    signals = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, stop) for number in signals]
    try:
        yield
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)
