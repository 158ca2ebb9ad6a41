"""Which waiting task goes where, and why the others wait: a pure function of queue and machine.

Higher priority first; then the owner with fewer running; then the place in the queue. A task that
does not fit yet keeps the GPUs it will need from those after it, so that none waits for ever.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from tandem.spec.errors import DeviceError
from tandem.spec.i18n import t
from tandem.spec.run import ExecutionSpec

CPU = "cpu"


def gpu(index: int) -> str:
    """The name of a GPU's slot."""
    return f"gpu:{index}"


@dataclass(frozen=True)
class Machine:
    """What there is to give."""

    gpus: int
    """They are numbered from 0."""
    cpu_slots: int


@dataclass(frozen=True)
class SlotRequest:
    """Certain GPUs, so many of any, or (neither) a slot on the CPU."""

    gpus: tuple[int, ...] = ()
    any_gpus: int = 0


@dataclass(frozen=True)
class QueuedRun:
    """One row of the queue."""

    task_id: str
    wants: SlotRequest
    priority: int = 0
    position: int = 0
    owner: str | None = None


@dataclass(frozen=True)
class SlotHolder:
    """One run that holds slots."""

    slots: tuple[str, ...]
    owner: str | None = None


@dataclass
class Placement:
    """What to do now; each task of the queue is in one of the three."""

    placed: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """In the order of launching: the slots of each."""
    waiting: dict[str, str] = field(default_factory=dict)
    """Why, in the reader's language; in the order of their turn."""
    impossible: dict[str, DeviceError] = field(default_factory=dict)
    """Those for which this machine will never do."""


def wants(run: ExecutionSpec, machine: Machine) -> SlotRequest:
    """What a run needs, as the trainer would choose it there."""
    if isinstance(run.devices, str):
        use_gpus = run.devices == "auto" and machine.gpus > 0
        return SlotRequest(any_gpus=run.processes or 1) if use_gpus else SlotRequest()
    # One that is named twice is one: the trainer counts them so too.
    return SlotRequest(gpus=tuple(dict.fromkeys(run.devices)))


def plan(queue: Iterable[QueuedRun], machine: Machine, busy: Sequence[SlotHolder]) -> Placement:
    """Place as many as fit, in order."""
    found = Placement()
    running = Counter(one.owner for one in busy)
    rest = []
    for one in queue:
        problem = _impossible(one.wants, machine)
        if problem is None:
            rest.append(one)
        else:
            found.impossible[one.task_id] = problem
    room = _Room(machine, busy)
    for best in in_turn(rest, running):
        slots = room.take(best)
        if slots:
            found.placed[best.task_id] = slots
            # Seen by `in_turn` at once: it chooses as it goes, and is not a list made before.
            running[best.owner] += 1
        else:
            found.waiting[best.task_id] = room.why(best)
            room.keep_for(best)
    return found


def in_turn(queue: Iterable[QueuedRun], running: Counter[str | None]) -> Iterator[QueuedRun]:
    """By priority, then the owner with fewer `running` (as it is at that moment), then position."""
    line = sorted(queue, key=lambda one: (-one.priority, one.position, one.task_id))
    for _, same in groupby(line, key=lambda one: one.priority):
        lanes: dict[str | None, deque[QueuedRun]] = {}
        for one in same:
            lanes.setdefault(one.owner, deque()).append(one)
        while lanes:
            # Chosen anew for each: who has just got a slot stands behind those who have none.
            owner = min(lanes, key=lambda name: _turn(lanes[name][0], running))
            yield lanes[owner].popleft()
            if not lanes[owner]:
                del lanes[owner]


def _turn(one: QueuedRun, running: Counter[str | None]) -> tuple[int, int, str]:
    return (running[one.owner], one.position, one.task_id)


class _Room:
    """The slots that are left, while they are given away."""

    def __init__(self, machine: Machine, busy: Sequence[SlotHolder]) -> None:
        taken = Counter(slot for one in busy for slot in one.slots)
        self.machine = machine
        self.cpu = max(0, machine.cpu_slots - taken[CPU])
        self.free = [index for index in range(machine.gpus) if not taken[gpu(index)]]
        self.kept: dict[int, str] = {}
        """GPUs, free or not, that a task before waits for."""
        self.before: str | None = None

    def take(self, one: QueuedRun) -> tuple[str, ...]:
        """The slots of a task, now no longer free; none when it must wait."""
        want = one.wants
        if not want.gpus and not want.any_gpus:
            self.cpu -= 1
            return (CPU,) if self.cpu >= 0 else ()
        # A GPU kept for a task before it is free, and yet not to be had.
        open_ = [index for index in self.free if index not in self.kept]
        chosen = list(want.gpus) or open_[: want.any_gpus]
        if len(chosen) < want.any_gpus or not set(chosen) <= set(open_):
            return ()
        self.free = [index for index in self.free if index not in chosen]
        return tuple(gpu(index) for index in chosen)

    def keep_for(self, one: QueuedRun) -> None:
        """What it will need is not given to those after it: the free ones first."""
        want = one.wants
        # Busy ones are kept too: else small tasks would take each as it falls free, for ever.
        others = [index for index in range(self.machine.gpus) if index not in self.free]
        candidates = (
            list(want.gpus)
            or [index for index in [*self.free, *others] if index not in self.kept][: want.any_gpus]
        )
        for index in candidates:
            self.kept.setdefault(index, one.task_id)

    def why(self, one: QueuedRun) -> str:
        """The reason that it waits."""
        want = one.wants
        if not want.gpus and not want.any_gpus:
            return t("All {slots} CPU slots are taken.", slots=self.machine.cpu_slots)
        considered = want.gpus or self.free
        kept = [
            self.kept[index] for index in considered if index in self.kept and index in self.free
        ]
        if kept and (not want.gpus or set(want.gpus) <= set(self.free)):
            return t(
                "GPUs that are free are kept for {task_id}, which is before it.", task_id=kept[0]
            )
        if want.gpus:
            taken = [index for index in want.gpus if index not in self.free]
            return t("GPU {taken} is taken.", taken=", ".join(map(str, taken)))
        return t(
            "It needs {wanted} GPUs; {free} of {there} are free.",
            wanted=want.any_gpus,
            free=len(self.free),
            there=self.machine.gpus,
        )


def _impossible(want: SlotRequest, machine: Machine) -> DeviceError | None:
    missing = [index for index in want.gpus if index >= machine.gpus]
    if missing:
        return DeviceError(
            "GPU {missing} is not there: this machine has {there}.",
            missing=", ".join(map(str, missing)),
            there=machine.gpus,
            allowed=[*range(machine.gpus), "auto", "cpu"],
            fix="Set gpuDevices to some that are there, or leave it out.",
        )
    if want.any_gpus > machine.gpus:
        return DeviceError(
            "The run wants {wanted} GPUs: this machine has {there}.",
            wanted=want.any_gpus,
            there=machine.gpus,
            fix="Lower run.processes, or leave it out.",
        )
    return None
