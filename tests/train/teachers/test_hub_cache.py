"""A hub id whose files are in the hub's cache opens and answers without a network."""

import shutil
from pathlib import Path

import huggingface_hub.constants
import pytest
import torch
import transformers.utils.hub

from tandem.spec.errors import TeacherError
from tandem.spec.run import TeacherSpec
from tandem.train.knowledge.label_scoring import LabelScoring
from tests.train.teachers.folders import open_teacher, random_images

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty hub cache of our own."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(transformers.utils.hub, "is_offline_mode", lambda: True)
    return tmp_path


def publish(hub: Path, repo: str, folder: Path) -> Path:
    """What downloading `repo` would have left in the cache."""
    home = hub / f"models--{repo.replace('/', '--')}"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text(COMMIT)
    return shutil.copytree(folder, home / "snapshots" / COMMIT)


@pytest.mark.parametrize("name", ["qwen2_5_vl", "dinov2"])
def test_a_cached_hub_id_says_what_its_folder_says(checkpoints, hub, name):
    publish(hub, "owner/tiny", checkpoints[name])
    cached = open_teacher("owner/tiny", image_size=56)
    local = open_teacher(checkpoints[name], image_size=56)
    images = random_images(2, cached.image_size)
    assert torch.equal(cached.signals(images).tokens_BHWD, local.signals(images).tokens_BHWD)
    assert cached.fingerprint == local.fingerprint


def test_a_cached_hub_id_answers_questions(checkpoints, hub):
    publish(hub, "owner/tiny", checkpoints["qwen2_5_vl"])
    spec = TeacherSpec(path="owner/tiny", image_size=56, precision="fp32")
    teacher = LabelScoring(open_teacher("owner/tiny", image_size=56), spec, ("a", "b"))
    assert teacher.signals(random_images(1, 56)).logits_BK.shape == (1, 2)


def test_half_a_download_is_said(checkpoints, hub):
    snapshot = publish(hub, "owner/tiny", checkpoints["vit"])
    (snapshot / "model.safetensors").unlink()
    with pytest.raises(TeacherError, match="owner/tiny has no weights"):
        open_teacher("owner/tiny")
