"""Foreign models: what is safe comes in and works; what is not is refused in a sentence."""

import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import tandem
from tandem.predict.importing.__main__ import import_model
from tandem.spec.errors import OutputFolderError, StudentError
from tests.extras import needs_ultralytics

GREY = np.full((40, 60, 3), 99, np.uint8)


def yolo_file(path):
    needs_ultralytics()
    from tandem.train.yolo.student import make_net

    torch.manual_seed(0)
    net = make_net("yolov8n", 2)
    net.names = {0: "cat", 1: "dog"}
    torch.save({"model": net.half(), "ema": None, "train_args": {"imgsz": 64}}, path)
    return net


def test_an_ultralytics_file_becomes_a_detector_with_its_classes(tmp_path):
    net = yolo_file(tmp_path / "y.pt").float().eval()
    told = import_model(str(tmp_path / "y.pt"), str(tmp_path / "m"), [])
    assert (told["kind"], told["classes"], told["size"]) == ("detection", ["cat", "dog"], "yolov8n")
    model = tandem.load(told["path"], "cpu")
    assert model.config.image_size == 64
    # Its normalisations are folded into its convolutions; what it says is the same.
    pixels = np.random.default_rng(0).integers(0, 256, (1, 3, 64, 64), np.uint8)
    with torch.inference_mode():
        whole = net(torch.from_numpy(pixels) / 255)[0]
    assert torch.allclose(model._run(pixels)["boxes_BCA"], whole, atol=2e-4)
    from tandem.train.export.final_model import load

    pixels = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        ours = load(tmp_path / "m")[0](pixels).boxes_BCA
        theirs = net(pixels)[0]
    assert torch.allclose(ours, theirs, atol=1e-4)


class Evil:
    def __reduce__(self):
        return (open, ("/tmp/tandem-evil", "w"))


def test_a_pickle_that_would_run_something_is_not_opened(tmp_path):
    needs_ultralytics()
    torch.save({"model": Evil()}, tmp_path / "evil.pt")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Evil()))
    for name in ("evil.pt", "plain.pt"):
        with pytest.raises(StudentError, match=r"cannot be loaded safely.*ONNX"):
            import_model(str(tmp_path / name), str(tmp_path / "m"), [])
    assert not (tmp_path / "m").exists()
    from pathlib import Path

    assert not Path("/tmp/tandem-evil").exists()


def test_a_timm_file_becomes_a_classifier(tmp_path):
    import timm

    torch.manual_seed(0)
    theirs = timm.create_model("resnet18", num_classes=3).eval()
    save_file(theirs.state_dict(), tmp_path / "r.safetensors")
    told = import_model(
        str(tmp_path / "r.safetensors"), str(tmp_path / "m"), ["a", "b", "c"], "resnet18", 64
    )
    assert told["kind"] == "classification"
    said = tandem.load(tmp_path / "m", "cpu").predict([GREY])[0]
    assert sum(said.probabilities.values()) == pytest.approx(1)
    with pytest.raises(StudentError, match="3 classes|2 classes"):
        import_model(
            str(tmp_path / "r.safetensors"), str(tmp_path / "n"), ["a", "b"], "resnet18", 64
        )
    with pytest.raises(OutputFolderError):
        import_model(str(tmp_path / "r.safetensors"), str(tmp_path / "m"), ["a"], "resnet18", 64)


def onnx_file(path, **told):
    import onnx
    from onnx import TensorProto, helper

    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 16, 16])
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])
    axes = helper.make_tensor("axes", TensorProto.INT64, [2], [2, 3])
    node = helper.make_node("ReduceMean", ["x", "axes"], ["y"], keepdims=0)
    graph = helper.make_graph([node], "g", [image], [out], [axes])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    for key, value in told.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.save(model, str(path))


def test_an_onnx_file_is_given_our_names(tmp_path):
    onnx_file(tmp_path / "x.onnx")
    told = import_model(str(tmp_path / "x.onnx"), str(tmp_path / "m"), ["red", "green", "blue"])
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 255
    assert tandem.load(told["path"]).predict([red])[0].label == "red"
    onnx_file(tmp_path / "named.onnx", names="{0: 'a', 1: 'b', 2: 'c'}", task="classify")
    told = import_model(str(tmp_path / "named.onnx"), str(tmp_path / "n"), [])
    assert told["classes"] == ["a", "b", "c"]
    with pytest.raises(StudentError, match="for 2 classes"):
        import_model(str(tmp_path / "x.onnx"), str(tmp_path / "o"), ["a", "b"])
    (tmp_path / "x.bin").write_bytes(b"x")
    with pytest.raises(StudentError, match="no kind that can be imported"):
        import_model(str(tmp_path / "x.bin"), str(tmp_path / "o"), [])
