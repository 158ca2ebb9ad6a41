"""What a wrong teacher path says: one sentence that names it, what is allowed, and the fix."""

import json
import shutil

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from tandem.spec.errors import DeviceError, MissingExtraError, SpecError, TeacherError
from tandem.spec.run import TeacherSpec
from tandem.train.knowledge.label_scoring import LabelScoring
from tandem.train.pretrained import quantize
from tandem.train.teachers.family import family_of
from tests.train.teachers.folders import open_teacher


def said(error) -> str:
    sentence = str(error.value)
    assert "\n" not in sentence
    assert error.value.fix
    return sentence


def test_a_path_that_is_missing(tmp_path):
    with pytest.raises(TeacherError) as error:
        open_teacher(tmp_path / "nowhere")
    assert "nowhere is not there" in said(error)
    assert "a hub id such as owner/name" in said(error)


def test_a_folder_that_is_no_model(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(TeacherError, match="is no model: it has no config.json"):
        open_teacher(tmp_path)
    (tmp_path / "config.json").write_text("{broken")
    with pytest.raises(TeacherError, match="is no model"):
        open_teacher(tmp_path)


def test_a_file_instead_of_a_folder(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(TeacherError, match="is a file, not a model's folder"):
        open_teacher(tmp_path / "model.safetensors")


def test_a_language_model_that_sees_nothing(tmp_path):
    config = LlamaConfig(
        vocab_size=64, hidden_size=16, intermediate_size=32, num_hidden_layers=1,
        num_attention_heads=2, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(tmp_path)
    assert family_of(TeacherSpec(path=str(tmp_path))) == "hf_text"
    with pytest.raises(TeacherError, match="of the family hf_text.*not hf_vision"):
        family_of(TeacherSpec(path=str(tmp_path), family="hf_vision"))


@pytest.mark.parametrize(
    ("name", "family"), [("qwen2_5_vl", "hf_vision"), ("dinov2", "qwen_vl"), ("vit", "qwen_vl")]
)
def test_a_family_that_is_not_the_checkpoints_own(checkpoints, name, family):
    with pytest.raises(TeacherError) as error:
        family_of(TeacherSpec(path=str(checkpoints[name]), family=family))
    assert f"not {family}" in said(error)
    assert f"its model_type is {name}" in said(error)


def test_a_family_that_does_not_exist(checkpoints):
    known = "no family of teachers gpt.*auto, hf_text, hf_vision, qwen_vl"
    with pytest.raises(TeacherError, match=known):
        family_of(TeacherSpec(path=str(checkpoints["vit"]), family="gpt"))


def test_a_hub_id_is_not_looked_for_when_offline():
    with pytest.raises(TeacherError) as error:
        open_teacher("nobody/has-this-model")
    assert "the hub cannot be reached" in said(error)
    assert "hf download nobody/has-this-model" in said(error)


def test_weights_in_a_pickle_are_never_read(checkpoints, tmp_path):
    folder = shutil.copytree(checkpoints["vit"], tmp_path / "vit")
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")
    with pytest.raises(TeacherError) as error:
        open_teacher(folder)
    assert "pickle" in said(error)
    assert "save_pretrained" in said(error)


@pytest.mark.parametrize("name", ["vit", "qwen2_5_vl"])
def test_weights_that_are_missing_or_truncated(checkpoints, tmp_path, name):
    folder = shutil.copytree(checkpoints[name], tmp_path / name)
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(TeacherError, match="broken weight file: model.safetensors"):
        open_teacher(folder)
    weights.unlink()
    with pytest.raises(TeacherError, match="has no weights"):
        open_teacher(folder)


def test_a_shard_that_is_missing(checkpoints, tmp_path):
    folder = shutil.copytree(checkpoints["qwen2_5_vl"], tmp_path / "sharded")
    (folder / "model.safetensors").unlink()
    index = {"weight_map": {"visual.patch_embed.proj.weight": "model-00001-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(TeacherError, match="lacks its weight file model-00001-of-00002"):
        open_teacher(folder)


@pytest.mark.parametrize("name", ["dinov2", "qwen3_vl"])
def test_weights_that_are_not_all_there(checkpoints, tmp_path, name):
    folder = shutil.copytree(checkpoints[name], tmp_path / name)
    config = json.loads((folder / "config.json").read_text())
    vision = config.get("vision_config", config)
    for key in ("depth", "num_hidden_layers"):
        if key in vision:
            vision[key] += 1
    (folder / "config.json").write_text(json.dumps(config))
    teacher = open_teacher(folder)
    with pytest.raises(TeacherError, match="lacks .* weights that its config.json asks for"):
        teacher.load()


def test_a_checkpoint_that_does_not_say_how_pixels_are_normalised(checkpoints, tmp_path):
    folder = shutil.copytree(checkpoints["qwen2_5_vl"], tmp_path / "q")
    (folder / "processor_config.json").unlink()
    with pytest.raises(TeacherError, match="does not say how its pictures are normalised"):
        open_teacher(folder)


def test_code_that_a_checkpoint_brings_is_never_run(checkpoints, tmp_path):
    folder = shutil.copytree(checkpoints["vit"], tmp_path / "foreign")
    ran = tmp_path / "ran"
    (folder / "modeling_own.py").write_text(f"open({str(ran)!r}, 'w')")
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoModel": "modeling_own.Own"}}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(TeacherError, match="brings code of its own, which is never run"):
        open_teacher(folder)
    assert not ran.exists()


def test_label_scoring_needs_a_language_model(checkpoints):
    with pytest.raises(TeacherError, match="asks a language model, and the teacher .* has none"):
        LabelScoring(open_teacher(checkpoints["vit"]), TeacherSpec(name="vit"), ("a", "b"))


def test_a_prompt_without_a_place_for_the_labels(checkpoints):
    spec = TeacherSpec(path=str(checkpoints["qwen2_5_vl"]), prompt="What is it?")
    with pytest.raises(SpecError, match=r"where the labels go.*What is it\?.*Put \{options\}"):
        LabelScoring(open_teacher(spec.path), spec, ("a", "b"))


def test_fp16_needs_a_gpu(checkpoints):
    with pytest.raises(DeviceError, match="fp16 needs a GPU.*int8"):
        open_teacher(checkpoints["vit"], precision="fp16")


def test_quantized_weights_need_a_device_and_the_extra(monkeypatch):
    with pytest.raises(DeviceError, match="int4 needs a CPU or an NVIDIA GPU; this is mps"):
        quantize.resolve_precision("int4", torch.device("mps"))
    monkeypatch.setattr(quantize.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'tandem-distill\[quant\]'"):
        quantize.resolve_precision("int8", torch.device("cpu"))


def test_images_of_another_size_are_refused(checkpoints):
    teacher = open_teacher(checkpoints["qwen2_5_vl"], image_size=56)
    with pytest.raises(ValueError, match=r"expected \(B, 3, 56, 56\)"):
        teacher.signals(torch.zeros(1, 3, 57, 56))
