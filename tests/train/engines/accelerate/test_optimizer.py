"""Optimizers, schedules and the moving average."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from tandem.spec.errors import SpecError
from tandem.spec.run import OptimSpec, StudentSpec
from tandem.train.engines.accelerate.model.ema import averaged, make_average
from tandem.train.engines.accelerate.optim import make_optimizer, make_scheduler, notes, rate_factor
from tandem.train.registry import find

OPTIMIZERS = ["adamw", "adam", "sgd", "adagrad"]
SCHEDULERS = ["cosine", "linear", "constant", "polynomial"]


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.ReLU(), nn.Linear(8, 2))


def steps(module: nn.Module, optimizer, scheduler, start: int, count: int) -> list[float]:
    rates = []
    for number in range(start, start + count):
        rates.append(optimizer.param_groups[0]["lr"])
        images = torch.randn(6, 4, generator=torch.Generator().manual_seed(number))
        optimizer.zero_grad()
        module(images).square().mean().backward()
        optimizer.step()
        scheduler.step()
    return rates


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_a_run_cut_in_two_ends_on_the_same_bits(name, scheduler):
    spec = OptimSpec(optimizer=name, scheduler=scheduler, epochs=4, warmup_epochs=1)

    def build():
        module = net()
        optimizer = make_optimizer([module], spec)
        average = make_average(module, 0.9)
        return module, optimizer, make_scheduler(optimizer, spec, 3), average

    def run(parts, start: int, count: int) -> None:
        module, optimizer, schedule, average = parts
        for number in range(start, start + count):
            steps(module, optimizer, schedule, number, 1)
            average.update_parameters(module)

    whole = build()
    run(whole, 0, 12)
    first = build()
    run(first, 0, 5)
    states = [copy.deepcopy(part.state_dict()) for part in first]
    second = build()
    for part, state in zip(second, states, strict=True):
        part.load_state_dict(state)
    run(second, 5, 7)
    for one, other in ((whole[0], second[0]), (whole[3], second[3])):
        for value, again in zip(
            one.state_dict().values(), other.state_dict().values(), strict=True
        ):
            assert torch.equal(value, again)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_lowers_the_loss(name):
    module = net()
    spec = OptimSpec(optimizer=name, learning_rate=0.05, scheduler="constant")
    optimizer = make_optimizer([module], spec)
    images = torch.randn(6, 4)
    before = module(images).square().mean().item()
    for _ in range(30):
        optimizer.zero_grad()
        module(images).square().mean().backward()
        optimizer.step()
    assert module(images).square().mean().item() < before / 2


@pytest.mark.parametrize("size", ["resnet18", "vit-tiny"])
def test_norms_biases_and_position_embeddings_do_not_decay(size):
    kind = "resnet" if size == "resnet18" else "vit"
    student = find("students", kind).make(StudentSpec(size=size), 10, 32)
    head = nn.Linear(4, 4)
    groups = make_optimizer([student, head], OptimSpec(weight_decay=0.1)).param_groups
    decays = {id(p): group["weight_decay"] for group in groups for p in group["params"]}
    names = {id(p): name for name, p in [*student.named_parameters(), *head.named_parameters()]}
    assert decays.keys() == names.keys()
    for key, name in names.items():
        spared = name.endswith("bias") or any(
            part in name for part in ("norm", "bn", "downsample.1", "pos_embed", "cls_token")
        )
        assert decays[key] == (0.0 if spared else 0.1), name


def test_weight_decay_shrinks_weights_and_leaves_biases():
    module = nn.Linear(3, 3)
    before = copy.deepcopy(module.state_dict())
    spec = OptimSpec(optimizer="adamw", learning_rate=0.1, weight_decay=0.5)
    optimizer = make_optimizer([module], spec)
    for parameter in module.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    torch.testing.assert_close(module.weight.detach(), before["weight"] * (1 - 0.1 * 0.5))
    assert torch.equal(module.bias.detach(), before["bias"])


def test_momentum_is_sgds():
    optimizer = make_optimizer([net()], OptimSpec(optimizer="sgd", momentum=0.7))
    assert optimizer.param_groups[0]["momentum"] == 0.7


def test_frozen_and_shared_weights_are_taken_once_or_not_at_all():
    shared = nn.Linear(2, 2)
    frozen = nn.Linear(2, 2).requires_grad_(False)
    groups = make_optimizer([shared, nn.Sequential(shared, frozen)], OptimSpec()).param_groups
    assert sum(len(group["params"]) for group in groups) == 2


def test_what_coupled_decay_means_is_said():
    assert "adamw keeps" in notes(OptimSpec(optimizer="adam"))[0]
    assert notes(OptimSpec(optimizer="adamw")) == ()
    assert notes(OptimSpec(optimizer="adam", weight_decay=0)) == ()


@pytest.mark.parametrize(
    ("scheduler", "middle", "last"),
    [("cosine", 0.5, 0.0), ("linear", 0.5, 0.0), ("polynomial", 0.25, 0.0), ("constant", 1, 1)],
)
def test_the_shapes_of_the_schedules(scheduler, middle, last):
    assert rate_factor(scheduler, 0, 100, 0) == pytest.approx(1)
    assert rate_factor(scheduler, 0, 100, 50) == pytest.approx(middle)
    assert rate_factor(scheduler, 0, 100, 100) == pytest.approx(last)
    assert rate_factor(scheduler, 0, 100, 150) == pytest.approx(last)


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_warm_up_rises_to_the_full_rate_and_no_step_is_wasted(scheduler):
    module = net()
    spec = OptimSpec(scheduler=scheduler, epochs=4, warmup_epochs=1, learning_rate=1.0)
    optimizer = make_optimizer([module], spec)
    rates = steps(module, optimizer, make_scheduler(optimizer, spec, 4), 0, 16)
    assert rates[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert min(rates) > 0
    assert max(rates) == pytest.approx(1)


def test_a_warm_up_as_long_as_the_run_is_refused():
    spec = OptimSpec(epochs=2, warmup_epochs=2)
    with pytest.raises(SpecError, match=r"2\.0 epochs leaves nothing of a run of 2"):
        make_scheduler(make_optimizer([net()], spec), spec, 3)


def test_the_average_lags_behind_and_its_buffers_do_not():
    module = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    average = make_average(module, 0.5)
    average.update_parameters(module)
    assert torch.equal(averaged(average)[0].weight, module[0].weight)
    with torch.no_grad():
        old = module[0].weight.clone()
        module[0].weight += 1
        module[1].running_mean += 3
    average.update_parameters(module)
    share = 2 / 11  # of the old: the warm-up of the decay, (1 + n) / (10 + n)
    torch.testing.assert_close(averaged(average)[0].weight.detach(), old + 1 - share)
    assert torch.equal(averaged(average)[1].running_mean, module[1].running_mean)
    for _ in range(50):
        average.update_parameters(module)
    torch.testing.assert_close(averaged(average)[0].weight, module[0].weight)


def test_the_decay_never_exceeds_the_one_asked_for():
    module = nn.Linear(1, 1)
    average = make_average(module, 0.5)
    for _ in range(100):
        average.update_parameters(module)
    with torch.no_grad():
        module.weight += 1
    average.update_parameters(module)
    gap = (module.weight - averaged(average).weight).item()
    assert gap == pytest.approx(0.5, abs=1e-5)
