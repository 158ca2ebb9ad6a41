"""The frozen names of installed systems, against the contract's own text."""

from __future__ import annotations

import pytest

from tandem.spec.errors import SpecError
from tandem.spec.run.check import default_of, paths, run_spec
from tandem.spec.run.legacy import (
    FLAGS,
    MODEL,
    MORE_FLAGS,
    REST,
    SCRIPT_DEFAULTS,
    from_rest,
    is_rest,
)

# The table of shared/contract/cli.md: each flag and its default, "" where it has none.
CONTRACT = {
    "task_id": "", "api_base_url": "", "teacher_model": "", "teacher_path": "",
    "student_model": "", "student_model_type": "", "student_model_size": "",
    "student_path": "", "task_type": "", "num_classes": "", "image_size": "224",
    "dataset_id": "", "val_dataset_id": "", "datasets_root": "", "epochs": "100",
    "batch_size": "32", "learning_rate": "0.0001", "optimizer": "adamw", "lr_scheduler": "cosine",
    "weight_decay": "0.01", "grad_accum_steps": "1", "max_grad_norm": "1.0",
    "gpu_devices": "auto", "auto_save_checkpoint": "True", "checkpoint_interval": "10",
    "distillation_type": "hybrid", "temperature": "4.0", "hard_label_weight": "0.5",
    "soft_label_weight": "0.5", "distill_loss_type": "kl_div", "feature_loss_type": "mse",
    "align_feature": "True", "lora_rank": "0", "lora_alpha": "16", "lora_dropout": "0.1",
    "lora_target_modules": "", "lora_bias": "none", "output_dir": "",
    "training_mode": "distillation",
}  # fmt: skip
REQUIRED = {"task_id", "student_model", "dataset_id", "output_dir"}


def test_the_flags_are_the_contract_s() -> None:
    assert {flag.name for flag in FLAGS} == CONTRACT.keys()
    assert {flag.name for flag in FLAGS if flag.required} == REQUIRED


@pytest.mark.parametrize("flag", FLAGS, ids=lambda flag: flag.name)
def test_the_default_is_the_contract_s(flag: object) -> None:
    assert SCRIPT_DEFAULTS.get(flag.name, default_of(flag.path)) == CONTRACT[flag.name]


def test_every_name_leads_to_a_field() -> None:
    known = paths().keys() | {MODEL, "loss.alpha"}
    assert {flag.path for flag in (*FLAGS, *MORE_FLAGS)} <= known
    assert set(REST.values()) <= known


ADVANCED = {
    "optimizer": "adamw", "lrScheduler": "cosine", "weightDecay": 0.01, "gradAccumSteps": 4,
    "maxGradNorm": 1.0, "gpuDevices": [0], "autoSaveCheckpoint": True, "checkpointInterval": 5,
    "loraAdvancedConfig": {"targetModules": ["q_proj", "v_proj"], "layers": "all",
                           "biasTrain": "none"},
    "distillationAdvancedConfig": {"hardLabelWeight": 0.3, "softLabelWeight": 0.7,
                                   "lossType": "kl_div"},
    "teacherModelConfig": {"modelPath": "bert-base-uncased", "quantization": "int8"},
}  # fmt: skip


def test_reads_the_specification_s_advanced_configuration() -> None:
    tree = from_rest({**ADVANCED, "datasetId": 7, "taskId": "TASK_AB12CD34"})
    spec = run_spec({**tree, "run": {**tree["run"], "output_dir": "/o"}})
    assert spec.optim.grad_accum_steps == 4
    assert spec.run.devices == [0]
    assert spec.run.checkpoint_interval == 5
    assert spec.lora.target_modules == ["q_proj", "v_proj"]
    assert (spec.loss.hard_label_weight, spec.loss.soft_label_weight) == (0.3, 0.7)
    assert spec.teacher is not None
    assert (spec.teacher.path, spec.teacher.precision) == ("bert-base-uncased", "int8")
    assert spec.data.dataset == "7"


def test_alpha_is_the_soft_weight_unless_the_weights_are_given() -> None:
    assert from_rest({"alpha": 0.7})["loss"] == {"soft_label_weight": 0.7, "hard_label_weight": 0.3}
    given = from_rest({"alpha": 0.7, "hardLabelWeight": 1.0})["loss"]
    assert given == {"hard_label_weight": 1.0, "soft_label_weight": 0.7}
    with pytest.raises(SpecError, match="alpha must be a number from 0 to 1. Got: 2"):
        from_rest({"alpha": 2})


@pytest.mark.parametrize(
    ("field", "value", "path", "reads"),
    [
        ("gpuDevices", "0,1", "devices", ["0", "1"]),
        ("gpuDevices", "cpu", "devices", "cpu"),
        ("gpuDevices", [], "devices", "auto"),
        ("loraTargetModules", "q_proj, v_proj", "target_modules", ["q_proj", "v_proj"]),
        ("attentionDistill", True, "attention_weight", 1.0),
        ("teacherQuantization", "none", "precision", "auto"),
    ],
)
def test_reads_installed_systems_spellings(
    field: str, value: object, path: str, reads: object
) -> None:
    section = REST[field].partition(".")[0]
    assert from_rest({field: value})[section][path] == reads


def test_intermediate_layers_switch_their_loss_on() -> None:
    loss = from_rest({"intermediateLayers": [1, 3]})["loss"]
    assert loss == {"intermediate_layers": [1, 3], "intermediate_weight": 1.0}


def test_an_unknown_field_names_the_nearest() -> None:
    with pytest.raises(SpecError, match="no field learningrate; did you mean learningRate"):
        from_rest({"learningrate": 1})


def test_tells_the_two_kinds_of_file_apart() -> None:
    assert is_rest(ADVANCED)
    assert not is_rest({"data": {"dataset": "x"}, "epochs": 3})
    assert not is_rest({"task_id": "t"})
