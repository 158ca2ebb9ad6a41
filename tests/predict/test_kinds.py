"""Boxes, masks, clips and texts: the picture's own pixels, and every format reads them back."""

import numpy as np
import pytest
import torch
from PIL import Image

import tandem
from tandem.data.faults import Faults
from tandem.data.masks import shape_mask
from tandem.data.registry import find
from tandem.predict.__main__ import execute
from tandem.predict.predictor import load
from tandem.spec.run import DataSpec, ExecutionSpec, OptimSpec, RunSpec, StudentSpec
from tandem.train.engines.stop import StopRequest
from tandem.train.export import final_model
from tandem.train.registry import find as find_part
from tests.extras import needs_ultralytics
from tests.predict.annotations import job

NAMES = ["circle", "square"]


def save(folder, kind, classes, *, pixels=64, files=None, **student):
    """An untrained student of the kind, saved by the real code."""
    torch.manual_seed(3)
    spec = RunSpec(
        task_id="T",
        kind=kind,
        mode="direct",
        data=DataSpec(dataset="d", image_size=pixels),
        student=StudentSpec(**student),
        optim=OptimSpec(epochs=1),
        run=ExecutionSpec(output_dir=folder),
    )
    built = find_part("students", spec.student.type).make(spec.student, len(classes), pixels).eval()
    final_model.save(built, folder, spec=spec, classes=classes, metrics={}, card="#\n", files=files)
    return built


def draw(folder, sizes=((90, 60), (50, 120), (64, 64))):
    rng = np.random.default_rng(1)
    folder.mkdir(parents=True, exist_ok=True)
    for number, (width, height) in enumerate(sizes):
        small = Image.fromarray(rng.integers(0, 256, (6, 6, 3), np.uint8))
        small.resize((width, height)).save(folder / f"{number}.png")


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    needs_ultralytics()
    folder = tmp_path_factory.mktemp("detector") / "final_model"
    save(folder, "detection", NAMES, type="yolov8", size="yolov8n")
    return folder


@pytest.fixture(scope="module")
def masker(tmp_path_factory):
    folder = tmp_path_factory.mktemp("masker") / "final_model"
    save(folder, "segmentation", ["background", *NAMES], type="resnet", size="resnet18",
         head="mask")  # fmt: skip
    return folder


def lowest(folder):
    """A threshold under which an untrained detector still tells a few boxes."""
    found = load(folder, "cpu", threshold=0.0).predict([np.zeros((64, 64, 3), np.uint8)])[0]
    return found.found[min(5, len(found.found) - 1)].confidence


def test_boxes_come_back_in_the_images_own_pixels(detector, tmp_path):
    draw(tmp_path, sizes=((90, 60), (90, 60)))
    Image.open(tmp_path / "0.png").resize((180, 120), Image.Resampling.NEAREST).save(
        tmp_path / "1.png"
    )
    model = load(detector, "cpu", threshold=lowest(detector))
    small, large = model.predict([tmp_path / "0.png", tmp_path / "1.png"])
    assert small.found
    assert (small.width, small.height, large.width, large.height) == (90, 60, 180, 120)
    for one in (*small.found, *large.found):
        assert 0 <= one.box[0] < one.box[2] <= 180
        assert 0 <= one.box[1] < one.box[3] <= 120
    scores = [one.confidence for one in small.found]
    assert scores == sorted(scores, reverse=True)
    assert max(one.box[2] for one in large.found) > 90 or max(
        one.box[3] for one in large.found
    ) > 60  # fmt: skip


def test_a_threshold_by_class_silences_that_class_only(detector, tmp_path):
    draw(tmp_path)
    least = lowest(detector) / 2
    both = load(detector, "cpu", threshold={"circle": least, "square": least})
    one = load(detector, "cpu", threshold={"circle": least, "square": 1.0})
    said = {found.label for answer in both.predict([*tmp_path.iterdir()]) for found in answer.found}
    less = {found.label for answer in one.predict([*tmp_path.iterdir()]) for found in answer.found}
    assert less == said - {"square"}


@pytest.mark.parametrize("form", ["labelme", "coco", "yolo", "voc", "csv", "labelstudio"])
def test_boxes_are_read_back_as_they_were(detector, tmp_path, form):
    draw(tmp_path / "in")
    least = lowest(detector)
    spec = job(tmp_path, model=detector, writer=form, threshold=least)
    assert execute(spec, StopRequest()) == 0
    files = sorted((tmp_path / "in").iterdir())
    said = load(detector, "cpu", least).predict(files, batch_size=4)
    faults = Faults()
    read = find(form).make().content(tmp_path / "out", faults, "detection")
    assert faults.errors == 0, faults.found
    items = {item.name.rpartition("/")[2]: item for item in (*read.train, *(read.val or []))}
    close = {"yolo": 1e-3, "labelstudio": 1e-3, "voc": 1.01}.get(form, 1e-4)
    for file, answer in zip(files, said, strict=True):
        shapes = items[file.name].shapes or []
        assert len(shapes) == len(answer.found)
        for shape, one in zip(shapes, answer.found, strict=True):
            assert read.classes[shape.label] == one.label
            assert shape.box == pytest.approx(one.box, abs=close)
            assert shape.confidence == pytest.approx(one.confidence, abs=1e-6)


def test_a_mask_is_as_large_as_its_image_and_written_exactly(masker, tmp_path):
    draw(tmp_path / "in")
    spec = job(tmp_path, model=masker, writer="masks")
    assert execute(spec, StopRequest()) == 0
    for file, answer in zip(
        sorted((tmp_path / "in").iterdir()),
        tandem.load(masker, "cpu").predict(sorted((tmp_path / "in").iterdir()), batch_size=4),
        strict=True,
    ):
        with Image.open(file) as image, Image.open(
            tmp_path / "out" / "masks" / "train" / file.name
        ) as mask:  # fmt: skip
            assert mask.size == image.size
            np.testing.assert_array_equal(np.array(mask), answer.mask_HW)
        assert sum(answer.shares.values()) == pytest.approx(1)
        assert set(answer.confidences) == set(answer.shares)
        assert all(1 / 3 - 1e-3 <= one <= 1 for one in answer.confidences.values())


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")  # of pycocotools itself
def test_a_mask_in_coco_is_the_same_mask(masker, tmp_path):
    draw(tmp_path / "in")
    spec = job(tmp_path, model=masker, writer="coco")
    assert execute(spec, StopRequest()) == 0
    read = find("coco").make().content(tmp_path / "out", Faults(), "segmentation")
    said = tandem.load(masker, "cpu").predict(sorted((tmp_path / "in").iterdir()), batch_size=4)
    items = sorted((*read.train, *(read.val or [])), key=lambda one: one.name)
    assert len(items) == 3
    for item, answer in zip(items, said, strict=True):
        for shape in item.shapes:
            drawn = shape_mask(shape, item.height, item.width).astype(bool)
            name = read.classes[shape.label]
            wanted = answer.mask_HW == ["background", *NAMES].index(name)
            np.testing.assert_array_equal(drawn, wanted)


def test_a_clip_is_a_folder_or_one_image(tmp_path):
    folder = tmp_path / "final_model"
    save(folder, "sequence", NAMES, type="lstm", frames=3)
    model = tandem.load(folder, "cpu")
    draw(tmp_path / "clips" / "x")
    draw(tmp_path / "clips" / "y", sizes=((64, 64),))
    first, second, alone = model.predict(
        [tmp_path / "clips" / "x", tmp_path / "clips" / "y", tmp_path / "clips" / "y" / "0.png"]
    )
    assert first.label in NAMES
    assert second.probabilities == pytest.approx(alone.probabilities, abs=1e-5)
    spec = job(tmp_path, model=folder, input=tmp_path / "clips")
    assert execute(spec, StopRequest()) == 0
    assert (tmp_path / "out" / "labels.csv").read_text().count("\n") == 3


def test_a_text_is_read_by_the_tokenizer_beside_the_model(tmp_path):
    from tandem.train.data.tokens import FILE, learnt

    tokens = learnt(["good film", "bad film", "好电影"] * 3)
    save(tmp_path / "m", "text", ["bad", "good"], type="bert", size="bert-mini", max_tokens=16,
         vocab_size=tokens.words, files={FILE: tokens.text})  # fmt: skip
    model = tandem.load(tmp_path / "m", "cpu")
    one, two = model.predict(["good film", "bad film 好电影"])
    assert sum(one.probabilities.values()) == pytest.approx(1)
    assert one.probabilities != two.probabilities
    assert model.predict("good film")[0].probabilities == pytest.approx(one.probabilities, abs=1e-5)
