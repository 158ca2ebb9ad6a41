"""What a batch leaves in memory for the backward pass is what the students state."""

import pytest
import torch
from torch import nn

from tandem.spec.plugins.students import activations_megabytes
from tandem.spec.run import RunSpec
from tandem.train.registry import find

BATCH, WORDS = 2, 128


def spec_of(size: str, image_size: int, batch: int = BATCH) -> RunSpec:
    type = size.partition("-")[0].rstrip("0123456789")
    return RunSpec.model_validate(
        {
            "task_id": "x",
            "mode": "direct",
            "data": {"dataset": "x", "image_size": image_size},
            "student": {"type": type, "size": size, "max_tokens": WORDS, "frames": 2},
            "optim": {"batch_size": batch},
            "run": {"output_dir": "x", "devices": "cpu"},
        }
    )


def kept_megabytes(net: nn.Module, inputs: torch.Tensor) -> float:
    """All tensors that autograd keeps, each once, without the weights."""
    known = {id(one) for one in (*net.parameters(), *net.buffers())}
    found: dict[int, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        whole = tensor if tensor._base is None else tensor._base
        if id(whole) not in known:
            found[id(whole)] = whole
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        net(inputs)
    return sum(one.numel() * one.element_size() for one in found.values()) / 2**20


@pytest.mark.parametrize(
    ("size", "image_size"),
    [("resnet18", 224), ("vit-tiny", 224), ("unet-small", 256), ("bert-mini", 16)],
)
def test_what_is_stated_is_what_is_kept(size, image_size):
    spec = spec_of(size, image_size)
    words = spec.student.type == "bert"
    # Without numbers, where none is read: the sizes alone tell.
    with torch.device("cpu" if words else "meta"):
        net = find("students", spec.student.type).make(spec.student, 10, image_size).train()
        shape = (BATCH, 3, WORDS) if words else (BATCH, 3, image_size, image_size)
        inputs = torch.ones(shape, dtype=torch.int64 if words else torch.float32)
        found = kept_megabytes(net, inputs)
    assert activations_megabytes(spec) == pytest.approx(found, rel=0.1)


def test_they_grow_with_the_batch_and_the_image_and_are_shared_by_processes():
    small = activations_megabytes(spec_of("resnet18", 112, 8))
    large = activations_megabytes(spec_of("resnet18", 224, 16))
    assert small is not None
    assert large == pytest.approx(8 * small, rel=1e-2)
    two = spec_of("resnet18", 224, 16)
    two = two.model_copy(update={"run": two.run.model_copy(update={"devices": [0, 1]})})
    assert activations_megabytes(two) == pytest.approx(large / 2, rel=1e-2)
    assert activations_megabytes(spec_of("their-net", 224)) is None
