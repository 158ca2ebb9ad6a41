"""Who goes where: examples, and what holds for every queue."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tandem.server.dispatch.launch import environment
from tandem.server.dispatch.placement import (
    Machine,
    QueuedRun,
    SlotHolder,
    SlotRequest,
    in_turn,
    plan,
    wants,
)
from tandem.spec.run import ExecutionSpec

CPU = SlotRequest()


def names(found) -> list[str]:
    return list(found.placed)


def test_priority_then_fairness_then_position():
    queue = [
        QueuedRun("a1", CPU, 0, 1, "a"),
        QueuedRun("a2", CPU, 0, 2, "a"),
        QueuedRun("b1", CPU, 0, 3, "b"),
        QueuedRun("late but urgent", CPU, 5, 9, "a"),
    ]
    assert names(plan(queue, Machine(0, 3), [])) == ["late but urgent", "b1", "a1"]
    assert plan(queue, Machine(0, 3), []).waiting == {"a2": "All 3 CPU slots are taken."}


def test_gpus_that_are_named_and_any():
    queue = [
        QueuedRun("named", SlotRequest((1,)), 0, 1),
        QueuedRun("any", SlotRequest(any_gpus=2), 0, 2),
    ]
    found = plan(queue, Machine(3, 1), [])
    assert found.placed == {"named": ("gpu:1",), "any": ("gpu:0", "gpu:2")}
    found = plan(queue, Machine(3, 1), [SlotHolder(("gpu:1",))])
    assert found.placed == {"any": ("gpu:0", "gpu:2")}
    assert found.waiting == {"named": "GPU 1 is taken."}


def test_a_small_one_does_not_overtake_a_large_one_for_ever():
    queue = [
        QueuedRun("large", SlotRequest(any_gpus=2), 0, 1),
        QueuedRun("small", SlotRequest(any_gpus=1), 0, 2),
    ]
    found = plan(queue, Machine(2, 1), [SlotHolder(("gpu:0",))])
    assert not found.placed
    assert found.waiting["large"] == "It needs 2 GPUs; 1 of 2 are free."
    assert "kept for large" in found.waiting["small"]
    # What the large one will not need is given.
    assert names(plan(queue, Machine(4, 1), [SlotHolder(("gpu:0",)), SlotHolder(("gpu:1",))])) == [
        "large"
    ]
    assert names(plan(queue, Machine(3, 1), [SlotHolder(("gpu:0",))])) == ["large"]


def test_a_gpu_that_is_not_there_is_refused_with_the_fix():
    found = plan(
        [QueuedRun("x", SlotRequest((0, 7)), 0, 1), QueuedRun("y", SlotRequest(any_gpus=3))],
        Machine(2, 1),
        [],
    )
    said = found.impossible["x"].sentence()
    assert "GPU 7 is not there" in said
    assert "gpuDevices" in said
    assert "wants 3 GPUs" in found.impossible["y"].sentence()


def test_what_a_spec_wants_and_sees():
    run = ExecutionSpec(output_dir="x")
    assert wants(run, Machine(2, 1)) == SlotRequest(any_gpus=1)
    assert wants(run, Machine(0, 1)) == CPU
    cpu = run.model_copy(update={"devices": "cpu", "processes": 2})
    assert wants(cpu, Machine(2, 1)) == CPU
    assert wants(run.model_copy(update={"devices": [1, 1]}), Machine(2, 1)) == SlotRequest((1,))
    assert environment("auto", ("gpu:1",), ("0", "3"))["CUDA_VISIBLE_DEVICES"] == "3"
    assert "CUDA_VISIBLE_DEVICES" not in environment([1], ("gpu:1",), ("0", "3"))
    assert environment("auto", ("cpu",), ()) == {}


WANTS = st.one_of(
    st.just(CPU),
    st.integers(1, 5).map(lambda n: SlotRequest(any_gpus=n)),
    st.sets(st.integers(0, 4), min_size=1, max_size=3).map(lambda s: SlotRequest(tuple(sorted(s)))),
)
QUEUES = st.lists(st.tuples(WANTS, st.integers(0, 2), st.sampled_from("abc")), max_size=10).map(
    lambda rows: [QueuedRun(f"t{i}", w, p, i, o) for i, (w, p, o) in enumerate(rows)]
)


@given(QUEUES, st.integers(0, 4), st.integers(1, 3))
def test_each_is_placed_waits_or_is_refused_and_no_slot_is_given_twice(queue, gpus, cpus):
    found = plan(queue, Machine(gpus, cpus), [])
    everyone = [*found.placed, *found.waiting, *found.impossible]
    assert sorted(everyone) == sorted(one.task_id for one in queue)
    given_ = [slot for slots in found.placed.values() for slot in slots]
    assert given_.count("cpu") <= cpus
    on_gpus = [slot for slot in given_ if slot != "cpu"]
    assert len(on_gpus) == len(set(on_gpus))
    assert set(on_gpus) <= {f"gpu:{i}" for i in range(gpus)}
    assert all(found.waiting.values())


@given(QUEUES, st.integers(0, 4), st.integers(1, 3))
def test_everyone_that_can_run_does_so_in_the_end(queue, gpus, cpus):
    """The oldest run ends, and a small, later task comes for each: the first ones still run."""
    machine, busy = Machine(gpus, cpus), {}
    left = [QueuedRun(q.task_id, q.wants, 0, q.position, "a") for q in queue]
    firsts = {one.task_id for one in left} - set(plan(left, machine, []).impossible)
    for turn in range(60):
        small = SlotRequest(any_gpus=1) if gpus else CPU
        left.append(QueuedRun(f"late{turn}", small, 0, 1000 + turn, "a"))
        found = plan(left, machine, [SlotHolder(slots, "a") for slots in busy.values()])
        left = [one for one in left if one.task_id in found.waiting]
        busy |= found.placed
        firsts -= busy.keys()
        if busy:
            del busy[next(iter(busy))]
    assert not firsts


def test_the_order_that_is_shown_takes_the_owners_in_turn():
    queue = [
        QueuedRun("a1", CPU, 0, 1, "a"),
        QueuedRun("a2", CPU, 0, 2, "a"),
        QueuedRun("b1", CPU, 0, 3, "b"),
        QueuedRun("b2", CPU, 0, 4, "b"),
    ]
    running = Counter({"a": 1})
    order = []
    for one in in_turn(queue, running):
        order.append(one.task_id)
        running[one.owner] += 1
    assert order == ["b1", "a1", "b2", "a2"]
