"""Every registered student: shapes, order, gradients, counts, export."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tandem.spec.errors import StudentError
from tandem.spec.model import ModelConfig
from tandem.spec.run import StudentSpec
from tandem.train.export import onnx_model
from tandem.train.registry import entries
from tandem.train.students.vit import patch_for
from tandem.train.types import Student

SMALLEST = {"resnet": "resnet18", "vit": "vit-tiny"}
NAMES = sorted(entries("students"))
SEEING = [name for name in NAMES if "text" not in entries("students")[name].kinds]
GRIDS = [name for name in SEEING if name != "lstm"]
"""Those whose tokens lie as the picture does."""
CLASSIFIERS = ["resnet", "vit"]
DETECTORS = ["yolov8", "yolox", "dfine"]
CLASSES = {"yolov8": 80, "yolox": 80, "dfine": 80, "unet": 21, "lstm": 10}
"""That the published figures are for; 1,000 of the others."""
EVERY_SIZE = [
    (name, size, count)
    for name in NAMES
    for size, count in entries("students")[name].facts["sizes"].items()
]


def make(name: str, image_size: int, **spec: object) -> Student:
    torch.manual_seed(0)
    entry = entries("students")[name]
    size = SMALLEST.get(name) or next(iter(entry.facts["sizes"]))
    return entry.make(StudentSpec.model_validate({"size": size, **spec}), 10, image_size)


@pytest.mark.parametrize(("kind", "size", "millions"), EVERY_SIZE)
def test_parameters_are_within_two_percent_of_the_published(kind, size, millions):
    with torch.device("cpu" if kind == "yolov8" else "meta"):
        spec = StudentSpec(type=kind, size=size)
        student = entries("students")[kind].make(spec, CLASSES.get(kind, 1000), 224)
    counted = [p for name, p in student.named_parameters() if not name.startswith("features.")]
    count = sum(parameter.numel() for parameter in counted) / 1e6
    assert count == pytest.approx(millions, rel=0.02)


def test_an_lstms_frame_features_are_a_resnet50():
    with torch.device("meta"):
        student = entries("students")["lstm"].make(StudentSpec(type="lstm"), 10, 224)
    count = sum(parameter.numel() for parameter in student.features.parameters())
    assert count / 1e6 == pytest.approx(23.5, rel=0.02)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("image_size", [32, 64])
def test_taps_have_the_shapes_that_the_attributes_promise(name, image_size):
    student = make(name, image_size)
    layers = (0, len(student.layer_widths) - 1)
    out = student(student.example(2), layers=layers)
    side = student.tokens_grid
    assert out.logits_BK.shape == (2, student.num_classes) == (2, 10)
    assert out.pooled_BD.shape == (2, student.pooled_width)
    grid = {"bert": (side, 1), "lstm": (8, 1)}.get(name, (side, side))
    assert out.tokens_BHWD.shape == (2, *grid, student.tokens_width)
    if name == "bert":
        return
    assert [x.shape[-1] for x in out.layers_BHWD] == [student.layer_widths[i] for i in layers]
    assert all(x.ndim == 4 for x in out.layers_BHWD)
    assert student.image_size == image_size


@pytest.mark.parametrize("name", NAMES)
def test_layers_come_in_the_order_asked(name):
    student = make(name, 64).eval()
    images, end = student.example(1), len(student.layer_widths) - 1
    first, last = student(images, layers=(0, end)).layers_BHWD
    swapped = student(images, layers=(end, 0)).layers_BHWD
    assert torch.equal(swapped[0], last)
    assert torch.equal(swapped[1], first)
    assert not torch.equal(first.flatten()[:9], last.flatten()[:9])


@pytest.mark.parametrize("name", NAMES)
def test_a_layer_that_is_not_there_is_an_error(name):
    student = make(name, 32)
    with pytest.raises(StudentError, match="no layer 99"):
        student(student.example(1), layers=(99,))


@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize(("row", "column"), [(0, 0), (0, -1), (-1, 0)])
def test_tokens_and_layers_are_in_raster_order(name, row, column):
    """A spot in a corner of the picture changes that corner's token the most."""
    student = make(name, 128, init="xavier").eval()
    dark = torch.zeros(1, 3, 128, 128)
    lit = dark.clone()
    rows, columns = (slice(0, 16) if at == 0 else slice(112, 128) for at in (row, column))
    lit[:, :, rows, columns] = 1
    with torch.no_grad():
        one, other = student(dark, layers=(1,)), student(lit, layers=(1,))
    pairs = [(one.tokens_BHWD, other.tokens_BHWD), (one.layers_BHWD[0], other.layers_BHWD[0])]
    for before, after in pairs:
        change = (after - before).norm(dim=-1)[0]
        side = change.shape[0]
        where = divmod(int(change.argmax()), side)
        half = [at < side / 2 for at in where]
        assert half == [row == 0, column == 0]


@pytest.mark.parametrize("name", NAMES)
def test_gradient_reaches_every_parameter(name):
    spec = {"train_features": True} if name == "lstm" else {}
    student = make(name, 32, init="random" if name == "yolov8" else "kaiming", **spec)
    if name in DETECTORS:
        pytest.skip("its boxes learn by a detector's loss alone: tests/train/yolo, detection")
    out = student(student.example(4))
    (out.logits_BK.square().mean() + out.tokens_BHWD.square().mean()).backward()
    without = [n for n, p in student.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_normalisation_is_inside(name):
    student = make(name, 32).eval()
    images = torch.rand(2, 3, 32, 32)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (student.mean, student.std))
    expected, _, _ = student.features((images - mean) / std, ())
    torch.testing.assert_close(student(images).pooled_BD, expected)
    bare, _, _ = student.features(images, ())
    assert not torch.allclose(bare, expected)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in DETECTORS])
def test_dropout_touches_the_logits_in_training_only(name):
    student = make(name, 32, dropout=0.5)
    images = student.example(2)
    for module in student.modules():
        drops = isinstance(module, torch.nn.Dropout | torch.nn.Dropout2d)
        module.training = drops and module.p == 0.5
    one, other = student(images), student(images)
    assert not torch.equal(one.logits_BK, other.logits_BK)
    assert torch.equal(one.pooled_BD, other.pooled_BD)
    student.eval()
    assert torch.equal(student(images).logits_BK, student(images).logits_BK)


@pytest.mark.parametrize("name", NAMES)
def test_saved_weights_load_into_a_student_built_afresh(name):
    student = make(name, 32).eval()
    again = make(name, 32, init="random" if name == "yolov8" else "xavier").eval()
    again.load_state_dict(student.state_dict())
    images = student.example(2)
    assert torch.equal(student(images).logits_BK, again(images).logits_BK)


@pytest.mark.parametrize("name", ["resnet", "vit", "unet", "lstm"])
def test_saved_weights_keep_their_normalisation(name):
    student = make(name, 32).eval()
    student.normalise_with((0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
    again = make(name, 32, init="xavier").eval()
    again.load_state_dict(student.state_dict())
    images = student.example(2)
    assert torch.equal(student(images).logits_BK, again(images).logits_BK)
    assert tuple(again.mean) == (0.5, 0.5, 0.5)
    assert tuple(again.std) == (0.25, 0.25, 0.25)


KINDS = {
    "unet": "segmentation",
    "yolov8": "detection",
    "yolox": "detection",
    "dfine": "detection",
    "lstm": "sequence",
    "bert": "text",
}


def shorten(name: str, student: Student) -> None:
    """What repeats is exported once: each further block of a kind costs a tenth of a second."""
    if name == "lstm":
        for stage in ("layer1", "layer2", "layer3", "layer4"):
            setattr(student.features, stage, getattr(student.features, stage)[:1])
    elif name == "vit":
        student.net.blocks = student.net.blocks[:2]


@pytest.mark.parametrize("name", [name for name in NAMES if name != "dfine"])
def test_onnx_agrees(name, tmp_path: Path):
    spec = {"lstm": {"frames": 3}, "bert": {"max_tokens": 16, "vocab_size": 60}}.get(name, {})
    student = make(name, 32, **spec).eval()
    shorten(name, student)
    config = ModelConfig(
        tandem_version="-", kind=KINDS.get(name, "classification"),
        student=StudentSpec(type=name), classes=[str(one) for one in range(10)], image_size=32,
        mean=[0, 0, 0], std=[1, 1, 1],
    )  # fmt: skip
    onnx_model.write(student, config, tmp_path / "student.onnx")
    onnx_model.check(student, config, tmp_path / "student.onnx")


@pytest.mark.parametrize("name", NAMES)
def test_the_catalog_facts_are_there(name):
    entry = entries("students")[name]
    assert entry.about
    assert entry.facts["licence"]
    assert entry.facts["source"]
    assert entry.facts["default_size"] in entry.facts["sizes"]
    size = entry.options.model_json_schema()["properties"]["size"]
    assert size["default"] == entry.facts["default_size"]
    if "enum" not in size:  # a UNet's encoders are another library's
        return
    sizes = size["enum"]
    assert set(sizes) == set(entry.facts["sizes"])


@pytest.mark.parametrize(
    ("image_size", "patch"),
    [(16, 2), (28, 4), (32, 4), (64, 8), (96, 16), (100, 10), (224, 16), (1024, 16)],
)
def test_small_images_get_small_patches(image_size, patch):
    assert patch_for(image_size) == patch


def test_an_image_no_patch_divides_names_the_nearest_that_work():
    with pytest.raises(StudentError, match=r"97 pixels.*Allowed: 96, 98") as failure:
        make("vit", 97)
    assert failure.value.exit_code == 2
