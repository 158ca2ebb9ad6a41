"""`tandem.load(path).predict([...])`: the same pixels, and the same answer, as in validation."""

import hashlib
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from PIL import Image

import tandem
from tandem.predict.images import pixels
from tandem.spec.errors import DataError, DeviceError, StudentError
from tandem.spec.run import ViewSpec
from tandem.train.data.augment import Views
from tandem.train.export import onnx_model
from tandem.train.types import ImageTable
from tests.train.export.models import CLASSES, save_model


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    student = save_model(folder / "final_model", temperature=2.0)
    return folder, student


@pytest.fixture(scope="module")
def model(run_dir):
    return tandem.load(run_dir[0] / "final_model", device="cpu")


@pytest.fixture
def images(tmp_path):
    """A JPEG that validation decodes at half its size, a turned one, a grey PNG."""
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (9, 12, 3), np.uint8)
    folder = tmp_path / "图 片"
    (folder / "sub").mkdir(parents=True)
    large = Image.fromarray(small).resize((200, 160), Image.Resampling.BICUBIC)
    large.save(folder / "a.JPG", quality=90)
    exif = Image.Exif()
    exif[0x0112] = 6
    large.save(folder / "b.jpg", exif=exif)
    Image.fromarray(small[..., 0]).resize((40, 50)).save(folder / "sub" / "c.png")
    return [folder / "a.JPG", folder / "b.jpg", folder / "sub" / "c.png"]


def test_labels_confidence_and_probabilities_of_paths(run_dir, model, images):
    made = model.predict([str(images[0]), *images[1:]])
    images = np.stack([pixels(path, 32) for path in images])
    with torch.no_grad():
        logits = run_dir[1](torch.from_numpy(images).float() / 255).logits_BK
    expected = torch.softmax(logits.double() / 2.0, 1).numpy()  # 2.0: the model's temperature
    for one, row in zip(made, expected, strict=True):
        assert list(one.probabilities) == CLASSES
        assert list(one.probabilities.values()) == pytest.approx(row.tolist(), abs=1e-6)
        assert one.label == CLASSES[row.argmax()]
        assert one.confidence == pytest.approx(row.max(), abs=1e-6)
        assert one.top(2)[0] == (one.label, one.confidence)
        assert len(one.top(2)) == 2


def test_the_pixels_are_those_of_validation(images):
    digests = [hashlib.blake2b(p.read_bytes(), digest_size=16).digest() for p in images]
    table = ImageTable(
        root=images[0].parent,
        paths_N=np.array([str(p.relative_to(images[0].parent)).encode() for p in images]),
        labels_N=np.zeros(3, np.int64),
        hashes_N=np.frombuffer(b"".join(digests), np.uint8).reshape(3, 16),
        classes=tuple(CLASSES),
    )
    views = Views.draw(table, ViewSpec(count=1))
    for row, path in enumerate(images):
        (shown,) = table.shown(views, row, views.params(row, [0]), 32, 10**8)
        np.testing.assert_array_equal(pixels(path, 32), shown)


def test_arrays_and_pil_images_and_grey_are_images_too(model, images):
    with Image.open(images[2]) as grey:
        from_path, from_pil, from_grey, from_rgb, from_column = model.predict(
            [
                images[2],
                grey,
                np.array(grey),
                np.array(grey.convert("RGB")),
                np.array(grey)[..., None],
            ]
        )
    assert from_path == from_pil == from_grey == from_rgb == from_column


def test_one_image_alone_and_a_stack_and_any_batch(model, images):
    array = np.array(Image.open(images[2]).convert("RGB"))
    alone = model.predict(array)
    assert len(alone) == 1
    assert model.predict(str(images[2]))[0] == alone[0]
    assert model.predict(np.stack([array] * 3))[2].label == alone[0].label
    assert model.predict([]) == []
    singly = model.predict(images, batch_size=1)
    for one, other in zip(singly, model.predict(images), strict=True):
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-5)


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (np.zeros((4, 4, 3), np.float32), "float32.*Give uint8"),
        (np.zeros((4, 4, 7), np.uint8), r"shape \(4, 4, 7\)"),
        (42, "cannot be a int"),
        ("/nowhere/x.png", "/nowhere/x.png"),
    ],
)
def test_what_is_no_image_is_one_sentence(model, image, said):
    with pytest.raises(DataError, match=said):
        model.predict([image])


def test_a_folder_goes_on_past_broken_files(model, images):
    folder = images[0].parent
    (folder / "broken.jpg").write_bytes(images[0].read_bytes()[:2000])
    (folder / "text.png").write_text("no picture")
    (folder / "notes.txt").write_text("not looked at")
    found = dict(model.predict_folder(folder, batch_size=2))
    assert set(found) == {*images, folder / "broken.jpg", folder / "text.png"}
    assert isinstance(found[folder / "broken.jpg"], DataError)
    assert "text.png" in str(found[folder / "text.png"])
    for path in images:
        expected = model.predict([path])[0].probabilities
        assert found[path].probabilities == pytest.approx(expected, abs=1e-5)


def test_a_folder_without_images_is_an_error(model, tmp_path):
    with pytest.raises(DataError, match=r"no picture in .*Allowed: .*\.jpg"):
        list(model.predict_folder(tmp_path))
    with pytest.raises(DataError, match="nothing at"):
        list(model.predict_folder(tmp_path / "x"))


def test_an_exported_model_says_the_same_with_no_other_file(run_dir, model, images, tmp_path):
    file = onnx_model.to_onnx(run_dir[0] / "final_model", tmp_path / "alone.onnx")
    exported = tandem.load(file)
    assert exported.classes == CLASSES
    for one, other in zip(exported.predict(images), model.predict(images), strict=True):
        assert one.label == other.label
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-4)


def test_the_folder_of_a_run_will_do(run_dir):
    assert tandem.load(str(run_dir[0])).classes == CLASSES


@pytest.mark.parametrize("name", ["nothing", "junk.onnx", "foreign.onnx"])
def test_what_is_no_model_is_one_sentence(tmp_path, name):
    path = tmp_path / name
    if name == "junk.onnx":
        path.write_bytes(b"junk")
    elif name == "foreign.onnx":
        import onnx
        from onnx.helper import make_graph, make_model, make_node, make_tensor_value_info

        value = [make_tensor_value_info(n, 1, [1]) for n in "xy"]
        graph = make_graph([make_node("Abs", ["x"], ["y"])], "g", value[:1], value[1:])
        onnx.save(make_model(graph, ir_version=8), str(path))
    with pytest.raises(StudentError, match=name) as caught:
        tandem.load(path)
    assert "\n" not in str(caught.value)


def test_a_device_that_is_not_there_is_an_error(run_dir):
    with pytest.raises(DeviceError, match=r"cuda:99.*Allowed: auto, cpu"):
        tandem.load(run_dir[0], device="cuda:99")


def test_importing_tandem_is_quick_and_brings_no_torch():
    code = "import sys, tandem; assert tandem.load; assert 'torch' not in sys.modules; "
    code += "assert 'pydantic' not in sys.modules; print(tandem.__version__)"
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    bare_seconds = time.perf_counter() - began
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    assert time.perf_counter() - began < bare_seconds + 0.5
