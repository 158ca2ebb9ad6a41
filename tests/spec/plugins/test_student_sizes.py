"""The many ways of writing a student's type and size."""

from __future__ import annotations

import pytest

from tandem.spec.errors import StudentError
from tandem.spec.plugins.students import resolve


@pytest.mark.parametrize(
    ("type", "size", "expected"),
    [
        ("resnet", "resnet50", ("resnet", "resnet50")),
        ("resnet", "50", ("resnet", "resnet50")),
        ("ResNet", "ResNet-50", ("resnet", "resnet50")),
        ("", "resnet/resnet101", ("resnet", "resnet101")),
        ("resnet", "resnet/34", ("resnet", "resnet34")),
        ("", "vit_base", ("vit", "vit-base")),
        ("vit", "tiny", ("vit", "vit-tiny")),
        ("", "ViT-Large", ("vit", "vit-large")),
        ("resnet18", "", ("resnet", "resnet18")),
        ("vit-small", "small", ("vit", "vit-small")),
        ("their_net", "huge", ("their_net", "huge")),
    ],
)
def test_a_size_is_understood(type, size, expected):
    assert resolve(type, size) == expected


@pytest.mark.parametrize(
    ("type", "size", "says"),
    [
        ("resnet", "resnet51", "resnet18, resnet34, resnet50, resnet101"),
        ("vit", "resnet18", "vit-tiny, vit-small"),
        ("", "small", "resnet18"),
        ("", "yolov9n", "vit-large"),
        ("vit", "resnet/resnet18", "does not belong"),
        ("resnet18", "resnet50", "disagree"),
    ],
)
def test_a_size_that_is_not_there_is_refused_with_the_allowed(type, size, says):
    with pytest.raises(StudentError, match=says):
        resolve(type, size)


@pytest.mark.parametrize(
    ("type", "size", "chosen"),
    [
        ("unet", "", ("unet", "unet-medium")),
        ("", "lstm", ("lstm", "lstm-medium")),
        ("yolov8", "s", ("yolov8", "yolov8s")),
        ("unet", "resnet34", ("unet", "unet-resnet34")),
        ("", "unet-mit_b1", ("unet", "unet-mit_b1")),
        ("resnet", "", ("resnet", "resnet18")),
        ("", "", ("resnet", "resnet18")),
    ],
)
def test_a_type_alone_and_a_unets_encoder(type, size, chosen):
    assert resolve(type, size) == chosen
