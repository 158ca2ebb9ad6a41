"""What holds for every registered teacher, on every architecture it reads."""

import pytest
import torch

from tandem.train.registry import entries
from tandem.train.types import Signals
from tests.train.teachers.folders import ENCODERS, EXAMPLES, open_teacher, random_images

ELSEWHERE = ("hf_text", "tandem", "yolov8", "yolox")
"""Taught with in tests/train/kinds, tests/train/yolo and tests/train/detection."""
ARCHITECTURES = ("qwen2_5_vl", "qwen3_vl", *ENCODERS, *EXAMPLES)


def test_every_registered_teacher_is_among_the_checkpoints(checkpoints):
    families = {type(open_teacher(checkpoints[name])).__module__ for name in ARCHITECTURES}
    seeing = {name: one.make.__module__ for name, one in entries("teachers").items()}
    for name in ELSEWHERE:
        seeing.pop(name)
    assert set(seeing.values()) <= families, "give it an example=, see docs/teacher.md"


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("size", [64, 112])
def test_shapes_determinism_and_no_gradient(checkpoints, name, size):
    teacher = open_teacher(checkpoints[name], image_size=size)
    if teacher.layer_count:
        teacher.layers = (0, teacher.layer_count - 1)
    images = random_images(3, teacher.image_size).requires_grad_()
    signals = teacher.signals(images)
    g, width = teacher.grid, teacher.width
    assert signals.tokens_BHWD.shape == (3, g, g, width)
    assert signals.pooled_BD.shape == (3, width)
    assert [x.shape for x in signals.layers_BHWD] == [(3, g, g, width)] * len(teacher.layers)
    assert ("layers" in teacher.gives) == (teacher.layer_count > 0)
    torch.testing.assert_close(signals.pooled_BD, signals.tokens_BHWD.mean((1, 2)))
    for part in (signals.tokens_BHWD, signals.pooled_BD, *signals.layers_BHWD):
        assert part.dtype == torch.float32
        assert not part.requires_grad
        assert not part.is_inference()
    assert_same(signals, teacher.signals(images))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_batch_says_what_each_image_says_alone(checkpoints, name):
    teacher = open_teacher(checkpoints[name], image_size=112)
    images = random_images(4, teacher.image_size)
    together = teacher.signals(images).tokens_BHWD
    alone = torch.cat([teacher.signals(one[None]).tokens_BHWD for one in images])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)
    assert (together[0] - together[1]).abs().max() > 1e-3


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_what_changes_at_the_bottom_right_shows_there(checkpoints, name):
    """Raster order: the tokens that move most are those of the pixels that changed."""
    teacher = open_teacher(checkpoints[name], image_size=112)
    side, g = teacher.image_size, teacher.grid
    images = random_images(1, side)
    changed = images.clone()
    changed[..., 3 * side // 4 :, : side // 4] = 1 - changed[..., 3 * side // 4 :, : side // 4]
    before, after = (teacher.signals(x).tokens_BHWD[0] for x in (images, changed))
    moved = (after - before).norm(dim=-1)
    row, column = divmod(int(moved.argmax()), g)
    assert row >= g // 2
    assert column < g / 2


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_teacher_is_whole(checkpoints, name):
    """What `types.Teacher` asks for is there before any weight is read."""
    teacher = open_teacher(checkpoints[name])
    assert teacher.know(["no", "such", "classes"]) is False
    assert teacher.logits_key is None
    assert teacher.parameters > 0
    assert teacher.gives <= {"pooled", "tokens", "layers", "logits"}
    assert teacher.fingerprint == open_teacher(checkpoints[name]).fingerprint
    assert teacher.fingerprint != open_teacher(checkpoints[name], image_size=448).fingerprint


@pytest.mark.parametrize("name", ["qwen2_5_vl", "dinov2", "siglip", *EXAMPLES])
def test_unloading_and_loading_again_changes_nothing(checkpoints, name):
    teacher = open_teacher(checkpoints[name])
    images = random_images(2, teacher.image_size)
    first = teacher.signals(images)
    teacher.unload()
    assert_same(first, teacher.signals(images))
    assert_same(first, open_teacher(checkpoints[name]).signals(images))


@pytest.mark.parametrize("name", ["qwen2_5_vl", "qwen3_vl", "vit", "clip"])
def test_uint8_images_are_read_as_0_to_255(checkpoints, name):
    teacher = open_teacher(checkpoints[name], image_size=64)
    images = (random_images(2, teacher.image_size) * 255).to(torch.uint8)
    assert_same(teacher.signals(images), teacher.signals(images.float() / 255))


def assert_same(one: Signals, other: Signals) -> None:
    assert torch.equal(one.tokens_BHWD, other.tokens_BHWD)
    assert torch.equal(one.pooled_BD, other.pooled_BD)
    assert all(map(torch.equal, one.layers_BHWD, other.layers_BHWD))
