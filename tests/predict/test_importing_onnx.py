"""Foreign ONNX models: what their scores are is found out; what cannot run is told in words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import tandem
from tandem.predict.importing.__main__ import ImportResult, import_model
from tandem.spec.errors import StudentError

CLASSES = ["red", "green", "blue"]
RED = np.zeros((16, 16, 3), np.uint8)
RED[..., 0] = 204
SOFTMAX = np.exp(np.array([8.0, 0, 0]) * 0.8) / np.exp(np.array([8.0, 0, 0]) * 0.8).sum()
SIGMOID = 1 / (1 + np.exp(-np.array([8.0, 0, 0]) * 0.8))


def save(
    path: Path,
    nodes: Sequence[tuple[str, list[str], list[str], dict[str, object]]],
    outputs: dict[str, list[object]],
    *,
    shape: Sequence[object] = ("n", 3, 16, 16),
    dtype: int = TensorProto.FLOAT,
    more: dict[str, np.ndarray] | None = None,
    **metadata: str,
) -> Path:
    made = [helper.make_node(op, given, got, **rest) for op, given, got, rest in nodes]
    image = helper.make_tensor_value_info("x", dtype, shape)
    kept = [numpy_helper.from_array(array, name) for name, array in (more or {}).items()]
    infos = [helper.make_tensor_value_info(*one) for one in
             ((name, TensorProto.FLOAT, dims) for name, dims in outputs.items())]  # fmt: skip
    graph = helper.make_graph(made, "g", [image], infos, kept)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    for key, value in metadata.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.save(model, str(path))
    return path


def classifier(path: Path, *tail: tuple[str, dict[str, object]], **rest: object) -> Path:
    """Eight times the mean of each colour, and then what `tail` does to it."""
    nodes = [("ReduceMean", ["x", "axes"], ["mean"], {"keepdims": 0}),
             ("Mul", ["mean", "eight"], ["t0"], {})]  # fmt: skip
    extra = {"axes": np.array([2, 3]), "eight": np.array(8, np.float32),
             "flat": np.array([-1, 3]), "square": np.array([-1, 3, 1])}  # fmt: skip
    for number, (op, attributes) in enumerate(tail):
        inputs = [f"t{number}"]
        if op == "Reshape":
            inputs.append(str(attributes["to"]))
            attributes = {}
        nodes.append((op, inputs, [f"t{number + 1}"], attributes))
    return save(path, nodes, {f"t{len(tail)}": ["n", 3]}, more=extra, **rest)  # type: ignore[arg-type]


def imported(path: Path, classes: Sequence[str] = CLASSES, size: int | None = None) -> ImportResult:
    return import_model(str(path), str(path.with_suffix("")), list(classes), "", size)


def scores(told: ImportResult, image: np.ndarray = RED) -> list[float]:
    (answer,) = tandem.load(told["path"]).predict([image])
    return [answer.probabilities[name] for name in told["classes"]]


@pytest.mark.parametrize(
    ("tail", "meant", "said"),
    [
        ((), SOFTMAX, ""),
        ((("Softmax", {"axis": 1}),), SOFTMAX, "probabilities already"),
        ((("Softmax", {"axis": -1}), ("Identity", {})), SOFTMAX, "probabilities already"),
        ((("Softmax", {"axis": 1}), ("Reshape", {"to": "square"}), ("Reshape", {"to": "flat"}),
          ("Cast", {"to": TensorProto.FLOAT})), SOFTMAX, "probabilities already"),
        ((("LogSoftmax", {"axis": 1}),), SOFTMAX, ""),
        ((("Softmax", {"axis": 1}), ("Log", {})), SOFTMAX, ""),
        ((("Sigmoid", {}), ("Identity", {})), SIGMOID, "sigmoid"),
    ],
    ids=["logits", "softmax", "identity", "reshape", "logsoftmax", "log", "sigmoid"],
)  # fmt: skip
def test_the_last_step_is_applied_once(
    tail: tuple[tuple[str, dict[str, object]], ...], meant: np.ndarray, said: str, tmp_path: Path
) -> None:
    told = imported(classifier(tmp_path / "m.onnx", *tail))
    assert scores(told) == pytest.approx(meant, abs=1e-5)
    assert told["kind"] == "classification"
    assert said in " ".join(told["notes"])
    assert "pictures of 0 to 1" in told["notes"][-1]


def test_a_softmax_in_steps_is_found_by_its_values(tmp_path: Path) -> None:
    nodes = [("ReduceMean", ["x", "axes"], ["m"], {"keepdims": 0}),
             ("Mul", ["m", "eight"], ["e"], {}),
             ("Exp", ["e"], ["p"], {}), ("ReduceSum", ["p", "one"], ["s"], {}),
             ("Div", ["p", "s"], ["logits"], {})]  # fmt: skip
    more = {"axes": np.array([2, 3]), "eight": np.array(8, np.float32), "one": np.array([1])}
    file = save(tmp_path / "m.onnx", nodes, {"logits": ["n", 3]}, more=more)
    assert scores(imported(file)) == pytest.approx(SOFTMAX, abs=1e-5)


def test_a_softmax_over_the_batch_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StudentError, match="does not go over the classes"):
        imported(classifier(tmp_path / "m.onnx", ("Softmax", {"axis": 0})))


CASTS = [("Cast", ["x"], ["f"], {"to": TensorProto.FLOAT})]


@pytest.mark.parametrize(
    ("dtype", "shape", "before", "given"),
    [
        (TensorProto.FLOAT16, ("n", 3, 16, 16), CASTS, "f"),
        (TensorProto.DOUBLE, ("n", 3, 16, 16), CASTS, "f"),
        (TensorProto.FLOAT16, (2, 16, 16, 3), CASTS, "f"),
        (TensorProto.FLOAT, ("n", "h", "w", 3), [], "x"),
        (TensorProto.UINT8, ("n", 3, 16, 16), [*CASTS, ("Mul", ["f", "less"], ["z"], {})], "z"),
    ],
    ids=["half", "double", "last", "dynamic", "bytes"],
)
def test_images_come_as_the_graph_takes_them(  # noqa: PLR0913
    dtype: int, shape: tuple[object, ...], before: list, given: str, tmp_path: Path
) -> None:
    axes = (1, 2) if shape[3] == 3 else (2, 3)
    nodes = [*before, ("ReduceMean", [given, "axes"], ["m"], {"keepdims": 0}),
             ("Mul", ["m", "eight"], ["y"], {})]  # fmt: skip
    more = {"axes": np.array(axes), "eight": np.array(8, np.float32),
            "less": np.array(1 / 255, np.float32)}  # fmt: skip
    file = save(tmp_path / "m.onnx", nodes, {"y": ["n", 3]}, shape=shape, dtype=dtype, more=more)
    told = imported(file, size=None if shape[1] != "h" else 32)
    assert scores(told) == pytest.approx(SOFTMAX, abs=2e-3)


@pytest.mark.parametrize("batch", [1, 4])
def test_a_fixed_batch_is_filled_up(batch: int, tmp_path: Path) -> None:
    told = imported(classifier(tmp_path / "m.onnx", shape=(batch, 3, 16, 16)))
    images = [np.roll(RED, n, 2) for n in (0, 1, 2, 0, 1)]
    answers = tandem.load(told["path"]).predict(images)
    assert [one.label for one in answers] == ["red", "green", "blue", "red", "green"]


def size_of(told: ImportResult) -> int:
    return tandem.load(told["path"]).config.image_size


ANY = ("n", 3, "h", "w")


def test_the_size_of_images_is_what_the_file_says_unless_another_is_named(tmp_path: Path) -> None:
    assert size_of(imported(classifier(tmp_path / "a.onnx", shape=ANY, imgsz="[64, 64]"))) == 64
    assert size_of(imported(classifier(tmp_path / "b.onnx", shape=ANY, imgsz="96"))) == 96
    other = imported(classifier(tmp_path / "c.onnx", shape=ANY, imgsz="[64, 64]"), size=32)
    assert size_of(other) == 32
    assert "exported for 64" in " ".join(other["notes"])
    unsaid = imported(classifier(tmp_path / "d.onnx", shape=ANY))
    assert size_of(unsaid) == 224
    assert "224 is taken" in " ".join(unsaid["notes"])
    with pytest.raises(StudentError, match="16 pixels a side only"):
        imported(classifier(tmp_path / "e.onnx"), size=32)
    for shape, said in ((ANY, "[480, 640]"), (("n", 3, 32, 64), "")):
        with pytest.raises(StudentError, match="not square"):
            imported(classifier(tmp_path / "f.onnx", shape=shape, imgsz=said))


def detector(path: Path, shape: Sequence[int], **rest: object) -> Path:
    """Always the same boxes of this shape, one of each batch."""
    boxes = np.zeros((1, *shape), np.float32)
    boxes[0, :, 0] = [16, 16, 8, 8, 0.9, *[0.1] * (shape[0] - 5)]
    nodes = [("Shape", ["x"], ["all"], {"end": 1}),
             ("Concat", ["all", "ones"], ["to"], {"axis": 0}),
             ("Expand", ["boxes", "to"], ["boxes_n"], {})]  # fmt: skip
    more = {"boxes": boxes, "ones": np.array([1, 1])}
    dims = ["n", *shape]
    return save(path, nodes, {"boxes_n": dims}, shape=ANY, more=more, **rest)  # type: ignore[arg-type]


def test_a_detector_by_its_metadata(tmp_path: Path) -> None:
    told = imported(
        detector(tmp_path / "m.onnx", (6, 21), task="detect", names="{0: 'cat', 1: 'no'}",
                 imgsz="[64, 64]", stride="32"), [],
    )  # fmt: skip
    assert (told["kind"], told["classes"], size_of(told)) == ("detection", ["cat", "no"], 64)
    (answer,) = tandem.load(told["path"]).predict([RED])
    assert [(one.label, one.confidence) for one in answer.found] == [("cat", pytest.approx(0.9))]
    with pytest.raises(StudentError, match="multiple of 32"):
        imported(detector(tmp_path / "n.onnx", (6, 21)), ["a", "b"], 100)


@pytest.mark.parametrize(
    ("shape", "classes", "metadata", "sentence"),
    [
        ((300, 6), CLASSES, {}, r"\(B, 300, 6\): it was exported with nms=True.*nms=False"),
        ((300, 6), [], {"names": "{0: 'a'}", "task": "detect"}, r"nms=True"),
        ((21, 7), CLASSES, {}, "one after the other"),
        ((21, 8), CLASSES, {}, "YOLOv5"),
        ((6, 21), CLASSES, {}, "for 3 classes"),
        ((6, 21), [], {}, "which classes"),
        ((39, 21), CLASSES, {"task": "segment"}, "masks of single things.*classifier"),
        ((39, 21), CLASSES, {"task": "pose"}, "key points"),
        ((39, 21), CLASSES, {"task": "obb"}, "turned boxes"),
    ],
)
def test_what_cannot_run_is_told_with_what_to_export(
    shape: tuple[int, int],
    classes: list[str],
    metadata: dict[str, str],
    sentence: str,
    tmp_path: Path,
) -> None:
    with pytest.raises(StudentError, match=sentence):
        imported(detector(tmp_path / "m.onnx", shape, imgsz="64", **metadata), classes)
    assert not (tmp_path / "m").exists()


def test_an_ultralytics_segmenter_without_metadata_is_known_by_its_outputs(tmp_path: Path) -> None:
    boxes, masks = np.zeros((1, 39, 21), np.float32), np.zeros((1, 32, 16, 16), np.float32)
    nodes = [("Identity", ["a"], ["y"], {}), ("Identity", ["b"], ["z"], {})]
    file = save(tmp_path / "m.onnx", nodes, {"y": [1, 39, 21], "z": [1, 32, 16, 16]},
                more={"a": boxes, "b": masks}, shape=(1, 3, 64, 64))  # fmt: skip
    with pytest.raises(StudentError, match="masks of single things"):
        imported(file)


@pytest.mark.parametrize("softmax", [False, True])
def test_a_map_of_classes_becomes_masks(softmax: bool, tmp_path: Path) -> None:
    nodes = [("Mul", ["x", "eight"], ["y"], {})]
    if softmax:
        nodes.append(("Softmax", ["y"], ["z"], {"axis": 1}))
    last = nodes[-1][2][0]
    file = save(tmp_path / "m.onnx", nodes, {last: ["n", 3, 16, 16]},
                more={"eight": np.array(8, np.float32)})  # fmt: skip
    told = imported(file)
    assert told["kind"] == "segmentation"
    (answer,) = tandem.load(told["path"]).predict([RED])
    assert answer.mask_HW.max() == 0
    assert answer.confidences["red"] == pytest.approx(SOFTMAX[0], abs=1e-4)


def test_an_odd_input_is_refused_in_words(tmp_path: Path) -> None:
    nodes = [("Cast", ["x"], ["y"], {"to": TensorProto.FLOAT})]
    for shape, dtype, sentence in (
        (("n", 1, 16, 16), TensorProto.FLOAT, r"not \(B, 3, S, S\)"),
        (("n", 3), TensorProto.FLOAT, r"not \(B, 3, S, S\)"),
        (("n", 3, 16, 16), TensorProto.INT32, "not of floats or bytes"),
    ):
        with pytest.raises(StudentError, match=sentence):
            imported(save(tmp_path / "m.onnx", nodes, {"y": []}, shape=shape, dtype=dtype))
