"""The Qwen towers against transformers' own: pixels, order of the patches, precision."""

import pytest
import torch
from transformers import AutoImageProcessor, AutoModelForImageTextToText

from tandem.spec.errors import TeacherError
from tandem.train.demo import small_qwen
from tandem.train.pretrained.pixels import to_patches
from tests.train.teachers.folders import CPU, open_teacher, random_images

FAMILIES = ("qwen2_5_vl", "qwen3_vl")
PATCH = {"qwen2_5_vl": 14, "qwen3_vl": 16}


@pytest.mark.parametrize("family", FAMILIES)
def test_pixels_are_those_of_the_checkpoints_own_processor(checkpoints, family):
    teacher = open_teacher(checkpoints[family], image_size=128)
    side = teacher.image_size
    images = (random_images(3, side) * 255).round().to(torch.uint8)
    theirs = AutoImageProcessor.from_pretrained(checkpoints[family])(
        list(images), do_resize=False, return_tensors="pt"
    )
    prepared = teacher.preparation.normalise(images, CPU, torch.float32)
    ours = to_patches(prepared, PATCH[family], 2, 2)
    torch.testing.assert_close(ours, theirs.pixel_values, atol=1e-6, rtol=0)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("patches", [8, 18])  # 2 x 2 windows; 5 x 5 with narrow ones at the edge
def test_tokens_lie_in_raster_order(checkpoints, family, patches):
    """A patch-embedding that passes on its patch's number must come out row by row."""
    teacher = open_teacher(checkpoints[family], image_size=patches * PATCH[family])
    teacher.load()
    side = teacher.image_size
    number = torch.arange(patches * patches).view(patches, patches)
    image = number.repeat_interleave(PATCH[family], 0).repeat_interleave(PATCH[family], 1)
    images = image.expand(2, 3, side, side) / (patches * patches)
    order = _run_as_a_position_detector(teacher, images)
    assert torch.equal(order[0].argsort(stable=True).view(-1), torch.arange(patches * patches))
    assert torch.equal(order[0], order[1])


def _run_as_a_position_detector(teacher, images):
    """Cut the blocks out, so that a token is its own patch's embedding: brightness, unmixed."""
    for block in teacher.tower.blocks:
        block.attn.proj.weight.zero_()
        block.attn.proj.bias.zero_()
        for name, parameter in block.mlp.named_parameters():
            if name.startswith(("down_proj", "linear_fc2")):
                parameter.zero_()
    if hasattr(teacher.tower, "pos_embed"):
        teacher.tower.pos_embed.weight.zero_()
    teacher.tower.patch_embed.proj.weight.fill_(1e-3)
    teacher.layers = (0,)
    tokens = teacher.signals(images).layers_BHWD[0]
    return tokens[..., 0].flatten(1)


@pytest.mark.parametrize("family", FAMILIES)
def test_tokens_are_what_the_merger_reads(checkpoints, family):
    """Merging the raster tokens by hand gives transformers' own pooler_output."""
    teacher = open_teacher(checkpoints[family], image_size=12 * PATCH[family])
    images = random_images(2, teacher.image_size)
    tokens = teacher.signals(images).tokens_BHWD
    blocks = tokens.view(2, 6, 2, 6, 2, -1).permute(0, 1, 3, 2, 4, 5).reshape(2 * 36, -1)
    merger = teacher.tower.merger
    mlp = getattr(merger, "mlp", None)
    merged = mlp(blocks) if mlp else merger.linear_fc2(merger.act_fn(merger.linear_fc1(blocks)))
    inputs = AutoImageProcessor.from_pretrained(checkpoints[family])(
        list(images), do_resize=False, do_rescale=False, return_tensors="pt"
    )
    model = AutoModelForImageTextToText.from_pretrained(checkpoints[family])
    with torch.no_grad():
        theirs = model.model.visual(inputs.pixel_values, grid_thw=inputs.image_grid_thw)
    torch.testing.assert_close(merged, theirs.pooler_output, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_only_the_tower_is_loaded_for_features(checkpoints, family):
    teacher = open_teacher(checkpoints[family], image_size=64)
    teacher.signals(random_images(1, teacher.image_size))
    assert teacher.language is None
    held = sum(p.numel() for p in teacher.tower.parameters())
    assert held == teacher.parameters
    whole = AutoModelForImageTextToText.from_pretrained(checkpoints[family])
    assert held < sum(p.numel() for p in whole.parameters())
    loaded = teacher.signals(random_images(1, teacher.image_size))
    teacher.load_language()
    again = teacher.signals(random_images(1, teacher.image_size))
    assert torch.equal(loaded.tokens_BHWD, again.tokens_BHWD)


@pytest.mark.parametrize(("precision", "error"), [("bf16", 0.02), ("int8", 0.02), ("int4", 0.2)])
def test_lower_precisions_stay_near_and_differ(checkpoints, precision, error):
    images = random_images(2, 112)
    exact = open_teacher(checkpoints["qwen2_5_vl"], image_size=112)
    low = open_teacher(checkpoints["qwen2_5_vl"], image_size=112, precision=precision)
    expected, found = (t.signals(images).tokens_BHWD for t in (exact, low))
    distance = float((expected - found).norm() / expected.norm())
    assert 0 < distance < error
    assert exact.fingerprint != low.fingerprint


def test_int4_takes_a_quarter_of_int16_and_leaves_the_merger_whole(checkpoints):
    teacher = open_teacher(checkpoints["qwen2_5_vl"], image_size=56, precision="int4")
    model = teacher.load_language()
    kinds = {name: type(module).__name__ for name, module in model.named_modules()}
    assert kinds["model.visual.blocks.0.attn.qkv"] == "Linear4bit"
    assert kinds["model.language_model.layers.0.self_attn.q_proj"] == "Linear4bit"
    assert kinds["model.visual.merger.mlp.0"] == kinds["lm_head"] == "Linear"
    packed = model.model.visual.blocks[0].attn.qkv.weight
    assert packed.numel() * packed.element_size() == 3 * 64 * 64 // 2


def test_int4_leaves_layers_of_odd_width_whole(tmp_path):
    """As the 7B release's tower has them: 3,420 is no multiple of int4's block of 64."""
    path = small_qwen.build(tmp_path, depth=2, hidden=48)
    teacher = open_teacher(path, image_size=56, precision="int4")
    alone = teacher.signals(random_images(1, 56)).tokens_BHWD
    teacher.load_language()
    assert type(teacher.tower.blocks[0].mlp.down_proj).__name__ == "Linear"
    assert torch.equal(teacher.signals(random_images(1, 56)).tokens_BHWD, alone)


def test_a_layer_that_is_not_there_is_refused(checkpoints):
    with pytest.raises(TeacherError, match="has no layer 4: it has 4.*Allowed: 0-3"):
        open_teacher(checkpoints["qwen2_5_vl"], layers=[0, 4])
