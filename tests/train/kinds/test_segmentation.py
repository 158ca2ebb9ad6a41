"""UNet on drawn shapes: learns, distils, resumes; masks go the way of their pictures."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tandem.data.content import IGNORED
from tandem.spec.errors import StudentError
from tandem.spec.run import RunSpec, StudentSpec, ViewSpec
from tandem.train import kinds
from tandem.train.data.augment import PARAMS, Views, rendered, rendered_mask
from tandem.train.kinds.segmentation import MaskAccumulator
from tandem.train.losses.cross_entropy_dice import (
    CrossEntropyDiceOptions,
    cross_entropy_dice,
)
from tandem.train.registry import entries, find
from tandem.train.types import Batch, ImageTable, Signals, SilentProgress, StepOutput
from tests.conftest import Specs
from tests.train.engines.runs import events, run_here, weights
from tests.train.kinds.made import SHAPES
from tests.train.kinds.said import refusal, report

MARGIN = 0.20
"""Of mean IoU, above the best answer that looks at no pixel."""


def unet(spec_maker: Specs, data: Path, **changes: object) -> dict:
    return spec_maker(
        **{
            "data__dataset": str(data),
            "data__image_size": 64,
            "student": {"type": "unet", "size": "small"},
            "optim": {"epochs": 3, "batch_size": 8, "learning_rate": 1e-3},
            **changes,
        }
    )


def splits(data: Path, size: int = 64) -> tuple[RunSpec, ImageTable, ImageTable]:
    spec = RunSpec.model_validate(
        {
            "task_id": "x",
            "mode": "direct",
            "data": {"dataset": str(data), "image_size": size},
            "student": {"type": "unet", "size": "small"},
            "run": {"output_dir": "/nowhere"},
        }
    )
    read = kinds.find("segmentation").read(spec, None, SilentProgress())
    return spec, read.train, read.val


def blind_miou(table: ImageTable) -> float:
    """Of the best of all answers that give every pixel one class."""
    pixels = np.concatenate([table.mask(row).ravel() for row in range(len(table))])
    return max(float((pixels == one).mean()) / len(SHAPES) for one in range(len(SHAPES)))


def test_a_small_unet_beats_chance_by_a_fifth(direct: Specs, masks: Path, tmp_path: Path) -> None:
    spec = unet(direct, masks)
    assert run_here(spec, tmp_path) == 0
    found = report(spec)
    measured = found["student"]["measured"]
    _, _, val = splits(masks)
    assert measured["metrics"]["miou"] > blind_miou(val) + MARGIN
    rows = measured["details"]["per_class"]
    assert [row["class"] if "class" in row else row["name"] for row in rows] == list(SHAPES)
    assert np.mean([row["iou"] for row in rows]) == pytest.approx(measured["metrics"]["miou"])
    assert np.mean([row["dice"] for row in rows]) == pytest.approx(measured["metrics"]["dice"])
    assert found["spec"]["kind"] == "segmentation"
    assert found["spec"]["student"]["head"] == "mask"


def test_a_distilled_unet_lowers_the_feature_loss(
    spec_of: Specs, masks: Path, tmp_path: Path
) -> None:
    whole = unet(spec_of, masks, data__image_size=32, run__checkpoint_interval=1)
    assert run_here(whole, tmp_path) == 0
    told = [one["terms"]["feature_mse"] for one in events(whole, "epoch")]
    assert len(told) == 3
    assert told[0] > told[1] > told[2] > 0
    assert all(one["terms"]["kl_div"] > 0 for one in events(whole, "epoch"))
    teacher = report(whole)["teacher"]
    assert 0 < teacher["measured"]["metrics"]["miou"] <= 1
    assert teacher["knowledge"] == "probe"
    _resumed_equals(whole, tmp_path)


def _resumed_equals(whole: dict, tmp_path: Path) -> None:
    """As if killed after its second epoch: what came later is taken away."""
    cut = {**whole, "run": {**whole["run"], "output_dir": str(tmp_path / "cut")}}
    shutil.copytree(whole["run"]["output_dir"], cut["run"]["output_dir"])
    folder = tmp_path / "cut"
    shutil.rmtree(folder / "final_model")
    (folder / "report.json").unlink()
    kept = folder / "checkpoints"
    assert (kept / "epoch-000002").is_dir()
    shutil.rmtree(kept / "epoch-000003", ignore_errors=True)
    assert run_here(cut, tmp_path) == 0
    assert events(cut, "started")[-1]["resumed_from_epoch"] == 2
    assert weights(cut) == weights(whole)


@pytest.mark.parametrize(
    ("kind", "size"), [("resnet", "resnet18"), ("vit", "vit-tiny"), ("unet", "unet-mit_b0")]
)
def test_other_students_learn_masks_too(
    kind: str, size: str, direct: Specs, masks: Path, tmp_path: Path
) -> None:
    student = {"type": kind, "size": size}
    spec = unet(direct, masks, student=student, optim__epochs=1, data__image_size=32)
    assert run_here(spec, tmp_path) == 0
    assert 0 < report(spec)["student"]["measured"]["metrics"]["miou"] < 1


def random_batch(count: int, *, seed: int = 0) -> tuple[StepOutput, torch.Tensor]:
    torch.manual_seed(seed)
    scores = torch.randn(count, 12, 12, 3)
    mask = torch.randint(0, 3, (count, 12, 12), dtype=torch.uint8)
    mask[torch.rand(count, 12, 12) < 0.2] = IGNORED
    mask[0, :, 3:] = IGNORED
    return StepOutput(scores.mean((1, 2)), scores[:, 0, 0], class_map_BHWK=scores), mask


def batch_of(mask_BHW: torch.Tensor) -> Batch:
    rows = np.arange(len(mask_BHW))
    return Batch(
        torch.empty(0), torch.zeros(len(rows), dtype=torch.int64), rows, rows * 0, None, mask_BHW
    )


def loss_of(output: StepOutput, mask_BHW: torch.Tensor, **options: float) -> torch.Tensor:
    return cross_entropy_dice(
        output, Signals(), batch_of(mask_BHW), CrossEntropyDiceOptions(**options)
    )


def cut_out(output: StepOutput, rows: slice) -> StepOutput:
    return StepOutput(
        output.logits_BK[rows],
        output.pooled_BD[rows],
        class_map_BHWK=output.class_map_BHWK[rows],
    )


@pytest.mark.parametrize("options", [{}, {"dice_weight": 0}, {"cross_entropy_weight": 0}])
def test_the_loss_does_not_depend_on_how_a_batch_is_cut(options: dict) -> None:
    output, mask = random_batch(6)
    whole = loss_of(output, mask, **options)
    parts = [
        loss_of(cut_out(output, slice(at, at + 2)), mask[at : at + 2], **options)
        for at in (0, 2, 4)
    ]
    torch.testing.assert_close(whole, torch.stack(parts).mean())


def test_ignored_pixels_are_neither_learnt_nor_counted() -> None:
    """What a student says of them changes neither the loss nor its gradient nor the figures."""
    output, mask = random_batch(4)
    other_map = output.class_map_BHWK.clone()
    other_map[mask == IGNORED] = torch.tensor([9.0, -9.0, 4.0])
    other_map.requires_grad_(True)
    other = StepOutput(output.logits_BK, output.pooled_BD, class_map_BHWK=other_map)
    loss = loss_of(other, mask)
    torch.testing.assert_close(loss, loss_of(output, mask))
    (gradient,) = torch.autograd.grad(loss, other_map)
    assert not gradient[mask == IGNORED].any()
    assert gradient[mask != IGNORED].any()
    assert judged(output, mask).metrics == judged(other, mask).metrics


def test_pixels_turned_to_255_leave_the_loss_of_the_others() -> None:
    """By hand: cross-entropy is the mean over the pixels that are left."""
    output, mask = random_batch(1)
    mask[:] = 1
    flipped = mask.clone()
    flipped[:, :6] = IGNORED
    nats = -output.class_map_BHWK.log_softmax(-1)[0, ..., 1]
    assert float(loss_of(output, mask, dice_weight=0)) == pytest.approx(float(nats.mean()))
    left = float(loss_of(output, flipped, dice_weight=0))
    assert left == pytest.approx(float(nats[6:].mean()))


def judged(output: StepOutput, mask_BHW: torch.Tensor, cut: int = 2):
    count = len(mask_BHW)
    table = ImageTable(
        Path(), np.array([b""] * count), np.zeros(count, np.int64),
        np.zeros((count, 16), np.uint8), SHAPES,
    )  # fmt: skip
    judges = [MaskAccumulator(table), MaskAccumulator(table)]
    for at in range(0, count, cut):
        rows = np.arange(at, min(at + cut, count))
        judge = judges[at // cut % 2]
        judge.add(rows, cut_out(output, slice(at, at + cut)), batch_of(mask_BHW[at : at + cut]))
    return judges[0].result([one.part() for one in judges])


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_miou_and_dice_are_those_of_scikit_learn(seed: int) -> None:
    from sklearn.metrics import f1_score, jaccard_score

    output, mask = random_batch(5, seed=seed)
    found = judged(output, mask)
    known = (mask != IGNORED).numpy()
    truth, said = mask.numpy()[known], output.class_map_BHWK.argmax(-1).numpy()[known]
    assert found.primary_metric == pytest.approx(jaccard_score(truth, said, average="macro"))
    assert found.metrics["dice"] == pytest.approx(f1_score(truth, said, average="macro"))
    each = [
        jaccard_score(mask[row][m], output.class_map_BHWK[row].argmax(-1)[m], average="macro")
        for row, m in enumerate(torch.from_numpy(known))
    ]
    np.testing.assert_allclose(found.scores_N, each)


def test_a_class_that_is_nowhere_does_not_pull_the_mean_down() -> None:
    output, mask = random_batch(2)
    mask = mask.clamp_max(1)
    output.class_map_BHWK[..., 2] = -99
    rows = judged(output, mask).details["per_class"]
    assert rows[2]["iou"] is None
    assert judged(output, mask).primary_metric == pytest.approx(
        np.mean([row["iou"] for row in rows[:2]])
    )


def test_masks_get_the_crop_and_flip_of_their_images() -> None:
    """A mask drawn as a picture and rendered as one agrees, but for the blurred outlines."""
    random = np.random.default_rng(0)
    for number in range(40):
        height, width = (int(x) for x in random.integers(20, 90, 2))
        mask_HW = np.zeros((height, width), np.uint8)
        mask_HW[: height // 2 + number % 5, : width // 3] = 1
        params = np.zeros((), PARAMS)
        for name in ("brightness", "contrast", "saturation"):
            params[name] = 1
        params["width"], params["height"] = random.uniform(0.4, 1, 2)
        params["left"] = random.uniform(0, 1 - params["width"])
        params["top"] = random.uniform(0, 1 - params["height"])
        params["flip"] = number % 2 == 1
        image = np.repeat(mask_HW[..., None] * np.uint8(255), 3, axis=2)
        drawn = rendered(image, params, 48)[0]
        shown = rendered_mask(mask_HW, params, 48)
        sure = (drawn < 30) | (drawn > 225)
        assert sure.mean() > 0.85
        agree = (drawn > 127) == (shown == 1)
        assert agree[sure].mean() > 0.995


def test_a_table_cuts_masks_as_it_cuts_images(masks: Path) -> None:
    _, train, _ = splits(masks)
    views = Views.draw(train, ViewSpec(count=4, flip="on", colour=0))
    rows, view = np.repeat(np.arange(8), 3), np.tile(np.array([1, 2, 3]), 8)
    batch = train.batch(views, rows, view, 64, 10**8)
    light = batch.inputs.float().amin(1) > 120
    inside = (batch.mask_BHW == 1) | (batch.mask_BHW == 2)
    assert (light == inside).float().mean() > 0.97
    bare = np.array([len(train) - 1])
    unlabelled = train.batch(views, bare, np.array([1]), 64, 10**8)
    assert (unlabelled.mask_BHW == IGNORED).all() == bool(train.labels_N[-1] == -1)


@pytest.mark.parametrize(
    ("size", "millions"), [("unet-small", 7.76), ("unet-medium", 17.46), ("unet-large", 31.04)]
)
def test_parameters_are_the_published(size: str, millions: float) -> None:
    with torch.device("meta"):
        student = find("students", "unet").make(StudentSpec(size=size), 2, 512)
    assert sum(p.numel() for p in student.parameters()) / 1e6 == pytest.approx(millions, rel=0.05)


@pytest.mark.parametrize("size", ["unet-small", "unet-resnet18", "unet-mit_b0"])
@pytest.mark.parametrize("sides", [(40, 40), (50, 70)])
def test_sizes_that_no_stride_divides(size: str, sides: tuple[int, int]) -> None:
    student = entries("students")["unet"].make(StudentSpec(size=size), 3, sides[0]).eval()
    with torch.no_grad():
        output = student(torch.rand(2, 3, *sides), layers=(0, len(student.layer_widths) - 1))
    assert output.class_map_BHWK.shape == (2, *sides, 3)
    assert output.logits_BK.shape == (2, 3)
    assert output.tokens_BHWD.shape[-1] == student.tokens_width
    if sides[0] == sides[1]:
        assert output.tokens_BHWD.shape[1] == student.tokens_grid
    assert [one.shape[-1] for one in output.layers_BHWD] == [
        student.layer_widths[0],
        student.layer_widths[-1],
    ]


def test_an_unknown_encoder_lists_the_known() -> None:
    with pytest.raises(StudentError, match=r"nonsense.*unet-resnet34") as failure:
        entries("students")["unet"].make(StudentSpec(size="unet-nonsense"), 3, 64)
    assert failure.value.exit_code == 2


def wrong_value(data: Path) -> None:
    Image.fromarray(np.full((64, 64), 7, np.uint8)).save(data / "masks" / "train" / "3.png")


def wrong_size(data: Path) -> None:
    Image.new("L", (30, 64)).save(data / "masks" / "train" / "3.png")


def wrong_colours(data: Path) -> None:
    colours = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(colours).save(data / "masks" / "train" / "3.png")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [(wrong_value, "7"), (wrong_size, "30"), (wrong_colours, "colour")],
)
def test_a_wrong_mask_is_one_sentence(
    spoil, says: str, direct: Specs, masks: Path, tmp_path: Path, capsys
) -> None:
    data = tmp_path / "data"
    shutil.copytree(masks, data)
    spoil(data)
    told = refusal(unet(direct, data, optim__epochs=1), tmp_path, capsys)
    assert "3.png" in told
    assert says in told.lower()


def test_one_step_of_a_run_does_not_see_pixels_turned_to_255(masks: Path) -> None:
    """The judge counts only the pixels that are left of a real table's masks."""
    spec, _, val = splits(masks)
    kind = kinds.find("segmentation")
    batch = kind.targets(val, np.arange(len(val)), spec)
    scores = torch.nn.functional.one_hot(batch.mask_BHW.long(), 3).float() * 9
    right = StepOutput(scores.mean((1, 2)), scores[:, 0, 0], class_map_BHWK=scores)
    wrong = scores.roll(1, -1)
    wrong[:, 32:] = scores[:, 32:]
    half = StepOutput(wrong.mean((1, 2)), wrong[:, 0, 0], class_map_BHWK=wrong)
    hidden = batch.mask_BHW.clone()
    hidden[:, :32] = IGNORED
    assert kind.correct(half, batch).mean() < 1
    assert (kind.correct(half, replace(batch, mask_BHW=hidden)) == 1).all()
    judge = kind.evaluator(val)
    judge.add(np.arange(len(val)), half, replace(batch, mask_BHW=hidden))
    assert judge.result([judge.part()]).primary_metric == 1
    judge = kind.evaluator(val)
    judge.add(np.arange(len(val)), right, batch)
    assert judge.result([judge.part()]).primary_metric == 1
