"""LSTM on clips of which one frame does not tell: folders, videos, pictures as clips of one."""

from __future__ import annotations

import shutil
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from tandem.data.video import evenly_spread
from tandem.spec.run import RunSpec, StudentSpec, ViewSpec
from tandem.train import kinds
from tandem.train.data.augment import Views
from tandem.train.data.clips import ClipSource, ClipTable, teacher_frames
from tandem.train.registry import find
from tandem.train.students.lstm import parameters_by_part
from tandem.train.types import Signals, SilentProgress
from tests.conftest import Specs
from tests.train.engines.runs import events, run_here
from tests.train.kinds import made
from tests.train.kinds.made import moving
from tests.train.kinds.said import model, refusal, report

MARGIN = 0.2
"""Of accuracy, above a coin."""


def lstm(spec_maker: Specs, data: Path, **changes: object) -> dict:
    return spec_maker(
        **{
            "data__dataset": str(data),
            "data__image_size": 32,
            "student": {"type": "lstm", "size": "small", "frames": 4},
            "optim": {"epochs": 1, "batch_size": 8, "learning_rate": 1e-3},
            "views": {"count": 1},
            **changes,
        }
    )


def splits(data: Path, tmp_path: Path, frames: int = 4) -> tuple[ClipTable, ClipTable]:
    spec = RunSpec.model_validate(
        {
            "task_id": "x",
            "mode": "direct",
            "data": {"dataset": str(data), "image_size": 32},
            "student": {"type": "lstm", "size": "small", "frames": frames},
            "run": {"output_dir": str(tmp_path / "run")},
        }
    )
    read = kinds.find("sequence").read(spec, None, SilentProgress())
    assert isinstance(read.train, ClipTable)
    assert isinstance(read.val, ClipTable)
    return read.train, read.val


def made_student(**spec: object):
    torch.manual_seed(0)
    return find("students", "lstm").make(
        StudentSpec.model_validate({"type": "lstm", "size": "lstm-small", **spec}), 2, 32
    )


def test_what_only_the_order_of_frames_tells_is_learnt(direct: Specs, tmp_path: Path) -> None:
    student = {"type": "lstm", "size": "small", "frames": 3}
    optim = {"epochs": 3, "batch_size": 8, "learning_rate": 3e-3}
    spec = lstm(direct, made.dawns(tmp_path / "data"), student=student, optim=optim)
    assert run_here(spec, tmp_path) == 0
    assert report(spec)["spec"]["kind"] == "sequence"
    assert report(spec)["student"]["measured"]["metrics"]["accuracy"] > 0.5 + MARGIN


def test_a_distilled_run_lowers_the_feature_loss(
    spec_of: Specs, clips: Path, tmp_path: Path
) -> None:
    spec = lstm(spec_of, clips, optim__epochs=3, run__save_checkpoints=False)
    assert run_here(spec, tmp_path) == 0
    told = [one["terms"]["feature_mse"] for one in events(spec, "epoch")]
    assert told[0] > told[1] > told[2] > 0
    assert all(one["terms"]["kl_div"] > 0 for one in events(spec, "epoch"))
    teacher = report(spec)["teacher"]["measured"]["metrics"]
    assert 0 <= teacher["accuracy"] <= 1
    frozen = {
        name: value
        for name, value in load_file(model(spec) / "model.safetensors").items()
        if name.startswith("features.")
    }
    assert int(frozen["features.bn1.num_batches_tracked"]) == 0


class Spy:
    """A source of which each frame says its own number."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def signals(self, index_B, view_B) -> Signals:
        self.asked += index_B.tolist()
        value_B1 = torch.from_numpy(index_B).float()[:, None]
        return Signals(pooled_BD=value_B1.repeat(1, 2), logits_BK=value_B1 * 10)


def test_the_teacher_sees_all_frames_and_the_student_few(clips: Path, tmp_path: Path) -> None:
    train, _ = splits(clips, tmp_path, frames=3)
    views = Views.draw(train, ViewSpec(count=2))
    shown, shown_views, kept = teacher_frames(train, views, 0)
    assert len(shown) == train.counts_N.sum() == sum(len(one) for one in kept)
    assert len(shown_views.keys_N) == len(shown)
    spy = Spy()
    said = ClipSource(spy, train, kept).signals(np.array([2, 0]), np.array([1, 0]))
    assert spy.asked == [*kept[2].tolist(), *kept[0].tolist()]
    for place, clip in enumerate((2, 0)):
        assert float(said.pooled_BD[place, 0]) == pytest.approx(kept[clip].mean())
        assert float(said.logits_BK[place, 0]) == pytest.approx(10 * kept[clip].mean())
        own = kept[clip][evenly_spread(3, len(kept[clip]))]
        assert said.tokens_BHWD[place, :, 0, 0].tolist() == own.tolist()
        # The token of a place is of the very frame that the student is shown there.
        student_files = [train.frames.path(frame) for frame in train.picked(clip).tolist()]
        assert [shown.path(row) for row in own.tolist()] == student_files
    few, _, kept_few = teacher_frames(train, views, 2)
    assert [len(one) for one in kept_few] == [2] * len(train)
    assert len(few) == 2 * len(train)


def test_equal_frames_of_two_clips_are_two_rows_of_the_cache(tmp_path: Path) -> None:
    """A frame is shown in its clip's crop: the same picture in another clip is cut otherwise."""
    for split, count in (("train", 2), ("val", 1)):
        for name in ("left", "right"):
            for number in range(count):
                clip = tmp_path / "data" / split / name / f"c{number}"
                clip.mkdir(parents=True)
                Image.new("RGB", (16, 16), (200, 0, 0)).save(clip / "0.png")
                shade = 40 * number + 10 * len(name) + len(split)
                Image.new("RGB", (16, 16), (0, shade, 0)).save(clip / "1.png")
    train, _ = splits(tmp_path / "data", tmp_path)
    shown, _, _ = teacher_frames(train, Views.draw(train, ViewSpec()), 0)
    assert len({one.tobytes() for one in shown.hashes_N}) == len(shown) == 8


def test_spread_takes_evenly_and_repeats_in_order() -> None:
    assert evenly_spread(4, 8).tolist() == [1, 3, 5, 7]
    assert evenly_spread(4, 4).tolist() == [0, 1, 2, 3]
    assert evenly_spread(3, 1).tolist() == [0, 0, 0]
    assert evenly_spread(4, 2).tolist() == [0, 0, 1, 1]


def test_the_frames_of_a_clip_share_crop_and_flip(tmp_path: Path) -> None:
    for split in ("train", "val"):
        for name in ("a_cat", "a_dog"):
            clip = tmp_path / "data" / split / name / "c"
            clip.mkdir(parents=True)
            shade = np.zeros((32, 32, 3), np.uint8)
            shade[..., 0] = np.linspace(0, 250, 32)
            shade[..., 1] = len(name + split) + 40 * (name == "a_cat")
            for frame in range(3):
                Image.fromarray(shade).save(clip / f"{frame}.png")
    train, _ = splits(tmp_path / "data", tmp_path)
    views = Views.draw(train, ViewSpec(count=4))
    seen = train.batch(views, np.zeros(4, np.int64), np.arange(4), 16, 10**8).inputs
    assert seen.shape == (4, 4, 3, 16, 16)
    assert (seen == seen[:, :1]).all()
    assert (seen[1] != seen[0]).any()


def write_video(path: Path, frames: list[Image.Image]) -> None:
    with av.open(str(path), "w") as video:
        stream = video.add_stream("mpeg4", rate=10)
        stream.width, stream.height = frames[0].size
        stream.pix_fmt = "yuv420p"
        stream.bit_rate = 4_000_000
        for one in frames:
            for packet in stream.encode(av.VideoFrame.from_image(one)):
                video.mux(packet)
        for packet in stream.encode():
            video.mux(packet)


def test_a_video_is_read_as_its_frames_are(tmp_path: Path) -> None:
    """The same clips as folders and as video files: the same classes, frames and pictures."""
    random = np.random.default_rng(0)
    folders, videos = tmp_path / "folders", tmp_path / "videos"
    for split in ("train", "val"):
        for name in ("left", "right"):
            for number in range(2):
                frames = moving(random, name)
                clip = folders / split / name / f"c{number}"
                clip.mkdir(parents=True)
                for place, frame in enumerate(frames):
                    frame.save(clip / f"{place:03d}.png")
                (videos / split / name).mkdir(parents=True, exist_ok=True)
                write_video(videos / split / name / f"c{number}.mp4", frames)
    one, _ = splits(folders, tmp_path)
    other, _ = splits(videos, tmp_path)
    assert other.classes == one.classes == ("left", "right")
    assert other.labels_N.tolist() == one.labels_N.tolist()
    assert other.counts_N.tolist() == one.counts_N.tolist()
    whole = np.zeros(len(one), np.int64)
    views = [Views.draw(table, ViewSpec(count=1)) for table in (one, other)]
    shown = [
        table.batch(seen, np.arange(len(table)), whole, 32, 10**8).inputs.float()
        for table, seen in zip((one, other), views, strict=True)
    ]
    # The square is where it was, within what MPEG-4 blurs.
    assert (((shown[0] > 150) == (shown[1] > 150)).float().mean()) > 0.97


def copied(clips: Path, tmp_path: Path) -> Path:
    data = tmp_path / "data"
    shutil.copytree(clips, data)
    return data


def test_a_broken_video_is_one_sentence(
    direct: Specs, clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = copied(clips, tmp_path)
    (data / "train" / "left" / "broken.mp4").write_bytes(b"no video at all" * 99)
    told = refusal(lstm(direct, data), tmp_path, capsys)
    assert "broken.mp4" in told
    assert "decode" in told


def test_a_clip_without_a_frame_is_one_sentence(
    direct: Specs, clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = copied(clips, tmp_path)
    (data / "train" / "left" / "hollow").mkdir()
    told = refusal(lstm(direct, data), tmp_path, capsys)
    assert "hollow" in told


def test_frames_of_several_sizes_and_a_clip_of_one(clips: Path, tmp_path: Path) -> None:
    data = copied(clips, tmp_path)
    odd = data / "train" / "left" / "odd"
    odd.mkdir()
    Image.new("RGB", (40, 24), (9, 9, 9)).save(odd / "0.png")
    Image.new("RGB", (24, 48), (250, 9, 9)).save(odd / "1.png")
    single = data / "train" / "right" / "single"
    single.mkdir()
    Image.new("RGB", (24, 24), (9, 250, 9)).save(single / "0.png")
    train, _ = splits(data, tmp_path)
    names = [bytes(one).decode() for one in train.paths_N]
    places = [next(n for n, name in enumerate(names) if part in name) for part in ("odd", "single")]
    assert train.counts_N[places].tolist() == [2, 1]
    views = Views.draw(train, ViewSpec(count=1))
    seen = train.batch(views, np.array(places), np.zeros(2, np.int64), 32, 10**8).inputs
    assert seen.shape == (2, 4, 3, 32, 32)
    assert seen[0, :2, 0].max() == 9
    assert seen[0, 2:, 0].min() == 250
    assert (seen[1] == seen[1, :1]).all()


def test_images_are_clips_of_one(direct: Specs, shapes: Path, tmp_path: Path) -> None:
    spec = lstm(direct, shapes)
    assert run_here(spec, tmp_path) == 0
    found = report(spec)
    assert found["data"]["train_images"] == 24
    assert found["student"]["type"] == "lstm"
    student = made_student().eval()
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(student(images).logits_BK, student(images[:, None]).logits_BK)


@pytest.mark.parametrize(
    ("size", "millions"), [("lstm-small", 6.3), ("lstm-medium", 16.8), ("lstm-large", 50.4)]
)
def test_parameters_are_the_published_and_both_shown(size: str, millions: float) -> None:
    entry = find("students", "lstm")
    with torch.device("meta"):
        parts = parameters_by_part(entry.make(StudentSpec(size=size), 2, 224))
    assert parts["lstm"] / 1e6 == pytest.approx(millions, rel=0.05)
    assert parts["frame_features"] / 1e6 == pytest.approx(23.5, rel=0.05)
    assert entry.facts["frame_features"]["parameters_millions"] == 23.5
    assert entry.facts["sizes"][size] == pytest.approx(millions, rel=0.05)


def test_pooling_mean_and_attention_and_last() -> None:
    clips_BTCHW = torch.rand(2, 4, 3, 32, 32)
    with torch.no_grad():
        mean = made_student(pooling="mean").eval()(clips_BTCHW)
        torch.testing.assert_close(mean.pooled_BD, mean.tokens_BHWD[:, :, 0].mean(1))
        last = made_student(pooling="last").eval()(clips_BTCHW)
        states_BTD, half = last.tokens_BHWD[:, :, 0], last.pooled_BD.shape[1] // 2
        torch.testing.assert_close(last.pooled_BD[:, :half], states_BTD[:, -1, :half])
        torch.testing.assert_close(last.pooled_BD[:, half:], states_BTD[:, 0, half:])
        student = made_student(pooling="attention").eval()
        student.attention.weight.mul_(0)
        even = student(clips_BTCHW)
        torch.testing.assert_close(even.pooled_BD, even.tokens_BHWD[:, :, 0].mean(1))


@pytest.mark.parametrize("learns", [False, True])
def test_frozen_features_do_not_move_and_others_do(learns: bool) -> None:
    student = made_student(train_features=learns)  # as it is built: nobody calls train() on it
    before = {name: value.clone() for name, value in student.features.state_dict().items()}
    parameters = [one for one in student.parameters() if one.requires_grad]
    optimizer = torch.optim.SGD(parameters, lr=0.1)
    lstm_before = student.lstm.weight_ih_l0.detach().clone()
    student(torch.rand(2, 4, 3, 32, 32)).logits_BK.square().sum().backward()
    optimizer.step()
    after = student.features.state_dict()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert not torch.equal(student.lstm.weight_ih_l0, lstm_before)
    assert student.features.training is learns
    if learns:
        assert {"conv1.weight", "bn1.running_mean"} <= moved
    else:
        assert moved == set()


def test_a_teacher_is_asked_in_the_views_of_the_clip(clips: Path, tmp_path: Path) -> None:
    """Through the kind: what `open_source` is given are frames in their clip's views."""
    train, _ = splits(clips, tmp_path)
    views = Views.draw(train, ViewSpec(count=3))
    _, frame_views, kept = teacher_frames(train, views, 0)
    for clip in (0, 5):
        for row in kept[clip]:
            assert (frame_views.params(row, [0, 1, 2, 3]) == views.params(clip, [0, 1, 2, 3])).all()
