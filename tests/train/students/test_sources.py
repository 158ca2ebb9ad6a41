"""Where a student's weights may come from beside a file: torchvision, the hubs, Ultralytics."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import torchvision
import transformers
from safetensors.torch import save_file
from torch import nn

from tandem.spec.errors import StudentError
from tandem.spec.run import StudentSpec
from tandem.train.registry import find
from tandem.train.students._weights import torchvision_file
from tandem.train.types import Student
from tests.extras import needs_ultralytics


def make(kind: str, size: str, path: str, classes: int = 5, image_size: int = 32) -> Student:
    torch.manual_seed(0)
    spec = StudentSpec(type=kind, size=size, init="pretrained", path=path)
    return find("students", kind).make(spec, classes, image_size).eval()


@pytest.fixture
def torch_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of PyTorch's, and no network."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))

    def offline(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    (tmp_path / "checkpoints").mkdir()
    return tmp_path / "checkpoints"


def put(folder: Path, name: str, net: nn.Module) -> dict[str, torch.Tensor]:
    weights = net.state_dict()
    url = torchvision.models.get_model_weights(name).DEFAULT.url
    torch.save(weights, folder / url.rpartition("/")[2])
    return weights


@pytest.mark.parametrize(
    ("kind", "size", "name", "below"),
    [
        ("resnet", "resnet18", "resnet18", "net."),
        ("unet", "unet-resnet18", "resnet18", "net.encoder."),
        ("lstm", "lstm-small", "resnet50", "features."),
    ],
)
def test_torchvision_s_weights(
    torch_home: Path, kind: str, size: str, name: str, below: str
) -> None:
    weights = put(torch_home, name, getattr(torchvision.models, name)())
    own = make(kind, size, "torchvision", image_size=64).state_dict()
    layer = "layer4.1.conv2.weight"
    assert torch.equal(own[below + layer], weights[layer])


def test_torchvision_s_weights_that_cannot_be_had_are_a_sentence(torch_home: Path) -> None:
    with pytest.raises(StudentError, match=r"resnet18-\w+\.pth there .*or set student.init"):
        make("resnet", "resnet18", "torchvision")
    assert not list(torch_home.iterdir())
    for size in ("vit-tiny", "unet-small", "yolov8s", "bert-mini"):
        with pytest.raises(StudentError, match=f"no weights for {size}"):
            torchvision_file(size)


def test_a_vit_of_torchvision_answers_as_there(tmp_path: Path) -> None:
    torch.manual_seed(1)
    theirs = torchvision.models.VisionTransformer(
        96, 16, num_layers=12, num_heads=3, hidden_dim=192, mlp_dim=768, num_classes=5
    ).eval()
    nn.init.normal_(theirs.heads.head.weight)
    torch.save(theirs.state_dict(), tmp_path / "w.pth")
    ours = make("vit", "vit-tiny", str(tmp_path / "w.pth"), image_size=96)
    images = torch.rand(2, 3, 96, 96)
    with torch.no_grad():
        expected = theirs(ours.normalised(images))
        assert torch.allclose(ours(images).logits_BK, expected, atol=1e-4)


def test_a_vit_of_transformers_answers_as_there(tmp_path: Path) -> None:
    torch.manual_seed(1)
    config = transformers.ViTConfig(
        hidden_size=192, num_attention_heads=3, intermediate_size=768, image_size=96, num_labels=5
    )
    theirs = transformers.ViTForImageClassification(config).eval()
    theirs.save_pretrained(tmp_path)
    half = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(half))
    ours = make("vit", "vit-tiny", str(tmp_path), image_size=96)
    images = torch.rand(2, 3, 96, 96)
    with torch.no_grad():
        expected = theirs(images * 2 - 1).logits
        assert torch.allclose(ours(images).logits_BK, expected, atol=1e-3)
    bare = transformers.ViTModel(config)
    bare.save_pretrained(tmp_path / "bare")  # with a pooler, which nothing reads
    assert "replaced" in make("vit", "vit-tiny", str(tmp_path / "bare"), image_size=96).notes[0]


@pytest.mark.parametrize("name", ["huggingface/whatever", "huggingface/vit"])
def test_a_name_without_an_owner_is_refused(name: str) -> None:
    with pytest.raises(StudentError, match="does not say whose model it is") as caught:
        make("vit", "vit-base", name)
    assert "huggingface/vit-base-patch16-224" in str(caught.value)


@pytest.mark.parametrize(
    ("path", "hub_id"),
    [
        ("huggingface/vit-base-patch16-224", "google/vit-base-patch16-224"),
        ("huggingface/timm/vit_tiny_patch16_224.augreg_in21k", "timm/vit_tiny"),
        ("timm/resnet50.a1_in1k", "timm/resnet50.a1_in1k"),
    ],
)
def test_hub_names_reach_the_hub(monkeypatch: pytest.MonkeyPatch, path: str, hub_id: str) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(StudentError, match=f"weights {hub_id}.*the hub does not give"):
        make("vit", "vit-tiny", path)


def yolo_file(path: Path, classes: int) -> nn.Module:
    needs_ultralytics()
    from tandem.train.yolo.student import make_net

    torch.manual_seed(3)
    net = make_net("yolov8n", classes)
    torch.save({"model": net, "ema": None, "train_args": {}}, path)
    return net


def test_an_ultralytics_file_starts_a_detector_of_other_classes(tmp_path: Path) -> None:
    net = yolo_file(tmp_path / "y.pt", 80)
    student = make("yolov8", "yolov8n", str(tmp_path / "y.pt"), classes=3)
    own, theirs = student.state_dict(), net.state_dict()
    assert torch.equal(own["net.model.0.conv.weight"], theirs["model.0.conv.weight"])
    assert torch.equal(own["net.model.22.cv2.0.0.conv.weight"],
                       theirs["model.22.cv2.0.0.conv.weight"])  # fmt: skip
    assert any("net.model.22.cv3" in note for note in student.notes)
    assert student.notes == make("yolov8", "yolov8n", str(tmp_path / "y.pt"), classes=3).notes


def test_an_ultralytics_file_of_the_same_classes_is_taken_whole(tmp_path: Path) -> None:
    net = yolo_file(tmp_path / "y.pt", 3)
    student = make("yolov8", "yolov8n", str(tmp_path / "y.pt"), classes=3)
    assert student.notes == ()
    own = {name.removeprefix("net."): value for name, value in student.state_dict().items()}
    assert all(torch.equal(own[name], value) for name, value in net.state_dict().items())


def test_an_ultralytics_file_of_another_size_is_refused(tmp_path: Path) -> None:
    yolo_file(tmp_path / "y.pt", 3)
    with pytest.raises(StudentError, match="are not those of yolov8s"):
        make("yolov8", "yolov8s", str(tmp_path / "y.pt"), classes=3)


class Evil:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("what", ["module", "garbage", "weights", "gone", "half"])
def test_a_hostile_or_broken_pt_is_a_sentence(tmp_path: Path, what: str) -> None:
    needs_ultralytics()
    path = tmp_path / "y.pt"
    if what == "module":
        torch.save({"model": Evil(tmp_path / "ran")}, path)
    elif what == "garbage":
        path.write_bytes(b"\x80\x02}q\x00.")
    elif what == "weights":
        torch.save({"model.0.conv.weight": torch.zeros(1)}, path)
    elif what == "half":
        from ultralytics.nn.tasks import DetectionModel

        torch.save({"model": DetectionModel.__new__(DetectionModel)}, path)
    with pytest.raises(StudentError, match=r"cannot be loaded safely"):
        make("yolov8", "yolov8n", str(path))
    assert not (tmp_path / "ran").exists()


def test_ultralytics_by_name_is_asked_of_its_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    needs_ultralytics()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(StudentError, match=r"yolov8n.pt is not here.*under the models' root"):
        make("yolov8", "yolov8n", "ultralytics/yolov8n.pt")


def test_a_safetensors_file_starts_a_detector_too(tmp_path: Path) -> None:
    needs_ultralytics()
    from tandem.train.yolo.student import YoloStudent, make_net

    theirs = YoloStudent(make_net("yolov8n", 2), num_classes=2, image_size=32)
    save_file(theirs.state_dict(), tmp_path / "model.safetensors")
    ours = make("yolov8", "yolov8n", str(tmp_path), classes=2)
    other = theirs.state_dict()
    assert all(torch.equal(value, other[name]) for name, value in ours.state_dict().items())
