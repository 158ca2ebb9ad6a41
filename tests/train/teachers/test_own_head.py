"""An image classifier teaches by its own head where its classes are the data's."""

import pytest
import torch
import transformers
from transformers import AutoModelForImageClassification
from transformers.utils import logging

from tandem.train.teachers.family import order_of
from tests.train.engines.runs import run_here
from tests.train.kinds.said import model, report
from tests.train.teachers.folders import _LAYERS, _TEXT, _VISION, open_teacher, random_images

NAMES = {0: "Cat", 1: "dog", 2: "owl"}


def classifier(name: str, folder, names=NAMES):
    """A random-weight classifier of a real architecture, saved with its image processor."""
    t = transformers
    labels = {"id2label": names, "label2id": {name: place for place, name in names.items()}}
    torch.manual_seed(0)
    dino = {**_LAYERS, "mlp_ratio": 2, "image_size": 56, "patch_size": 14}
    match name:
        case "vit":
            model = t.ViTForImageClassification(t.ViTConfig(**_VISION, **labels))
        case "dinov2":
            model = t.Dinov2ForImageClassification(t.Dinov2Config(**dino, **labels))
        case "swin":
            config = t.SwinConfig(
                embed_dim=16, depths=[1, 1], num_heads=[2, 2], image_size=32, **labels
            )
            model = t.SwinForImageClassification(config)
        case "siglip":
            config = t.SiglipConfig(vision_config=_VISION, text_config=_TEXT, **labels)
            model = t.SiglipForImageClassification(config)
        case "clip":
            config = t.CLIPConfig(vision_config=_VISION, text_config=_TEXT, **labels)
            model = t.CLIPForImageClassification(config)
    level = logging.get_verbosity()
    logging.set_verbosity_error()
    model.save_pretrained(folder)
    t.ViTImageProcessor(image_mean=[0.5] * 3, image_std=[0.5] * 3).save_pretrained(folder)
    logging.set_verbosity(level)
    return folder


@pytest.mark.parametrize("name", ["vit", "dinov2", "swin", "siglip", "clip"])
def test_the_head_answers_in_the_order_of_the_data(tmp_path, name):
    path = classifier(name, tmp_path)
    teacher = open_teacher(path, image_size=56)
    bare = open_teacher(path, image_size=56).signals(images := random_images(2, 56))
    assert bare.logits_BK is None
    assert teacher.know(["owl", "cat", "DOG"])
    assert "logits" in teacher.gives
    assert teacher.logits_key
    signals = teacher.signals(images)
    model = AutoModelForImageClassification.from_pretrained(path).eval()
    options = {} if name == "dinov2" else {"interpolate_pos_encoding": True}
    with torch.no_grad():
        truth = model((images - 0.5) / 0.5, **options).logits
    torch.testing.assert_close(signals.logits_BK, truth[:, [2, 0, 1]], atol=1e-5, rtol=1e-5)
    # What features are compared with is the bare encoder's, whoever gives the classes.
    torch.testing.assert_close(signals.tokens_BHWD, bare.tokens_BHWD, atol=1e-5, rtol=1e-5)
    assert teacher.fingerprint == open_teacher(path, image_size=56).fingerprint
    teacher.unload()
    assert torch.equal(teacher.signals(images).logits_BK, signals.logits_BK)


def test_other_classes_are_not_known(tmp_path):
    teacher = open_teacher(classifier("vit", tmp_path), image_size=32)
    for classes in (["cat", "dog"], ["cat", "dog", "cow"], ["cat", "dog", "owl", "cow"]):
        assert not teacher.know(classes)
    assert teacher.logits_key is None
    assert teacher.signals(random_images(1, 32)).logits_BK is None


def test_classes_without_names_go_by_their_numbers():
    assert order_of(["LABEL_0", "LABEL_1"], ["no", "yes"]) == (0, 1)
    assert order_of(["b", "a"], ["A", "B"]) == (1, 0)
    assert order_of(["a", "b"], ["a", "A"]) is None
    assert order_of(None, ["a"]) is None


def test_a_run_is_taught_by_the_head(spec_of, tmp_path):
    """No probe is fitted; and its student teaches another by the temperature that it has."""
    shapes = dict(enumerate(["square", "cross", "circle"]))
    path = classifier("vit", tmp_path / "teacher", shapes)
    given = {"path": str(path), "image_size": 32, "knowledge": "own"}
    first = spec_of(teacher=given, optim__epochs=1, report__baseline=False)
    assert run_here(first, tmp_path) == 0
    assert report(first)["teacher"]["knowledge"] == "own"
    assert report(first)["teacher"]["temperature"] != 1.0
    second = spec_of(teacher={"path": str(model(first))}, optim__epochs=1, report__baseline=False)
    second["run"]["output_dir"] = str(tmp_path / "second")
    assert run_here(second, tmp_path) == 0
    teacher = report(second)["teacher"]
    assert (teacher["knowledge"], teacher["temperature"]) == ("own", 1.0)
    # What it says of the validation set is as sure as it said itself to be.
    taught = report(first)["student"]["measured"]["metrics"]
    assert teacher["measured"]["metrics"]["accuracy"] == taught["accuracy"]
