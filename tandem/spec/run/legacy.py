"""What installed systems call the fields of a run: the scripts' flags and the REST names.

Frozen: a name here is in people's scripts and databases. A new knob needs none; `--set` reaches it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tandem.spec.errors import SpecError
from tandem.spec.run.base import SpecTree
from tandem.spec.run.suggest import nearest

MODEL = "student.model"
"""No field: `resnet/resnet50`, or a size alone; read where type and size are not given."""
ALPHA = "loss.alpha"
"""No field: the soft-label weight, and 1 - alpha the hard-label weight, unless these are given."""


@dataclass(frozen=True)
class Flag:
    """One `--name` of the entry scripts and the field it fills."""

    name: str
    path: str
    required: bool = False
    is_list: bool = False
    is_switch: bool = False
    """`--flag` alone means True."""


FLAGS: tuple[Flag, ...] = (
    Flag("task_id", "task_id", required=True),
    Flag("api_base_url", "report.api_base_url"),
    Flag("training_mode", "mode"),
    Flag("teacher_model", "teacher.name"),
    Flag("teacher_path", "teacher.path"),
    Flag("student_model", MODEL, required=True),
    Flag("student_model_type", "student.type"),
    Flag("student_model_size", "student.size"),
    Flag("student_path", "student.path"),
    Flag("task_type", "kind"),
    Flag("num_classes", "data.num_classes"),
    Flag("image_size", "data.image_size"),
    Flag("dataset_id", "data.dataset", required=True),
    Flag("val_dataset_id", "data.val_dataset"),
    Flag("datasets_root", "data.root"),
    Flag("epochs", "optim.epochs"),
    Flag("batch_size", "optim.batch_size"),
    Flag("learning_rate", "optim.learning_rate"),
    Flag("optimizer", "optim.optimizer"),
    Flag("lr_scheduler", "optim.scheduler"),
    Flag("weight_decay", "optim.weight_decay"),
    Flag("grad_accum_steps", "optim.grad_accum_steps"),
    Flag("max_grad_norm", "optim.max_grad_norm"),
    Flag("gpu_devices", "run.devices", is_list=True),
    Flag("auto_save_checkpoint", "run.save_checkpoints", is_switch=True),
    Flag("checkpoint_interval", "run.checkpoint_interval"),
    Flag("distillation_type", "loss.distillation_type"),
    Flag("temperature", "loss.temperature"),
    Flag("hard_label_weight", "loss.hard_label_weight"),
    Flag("soft_label_weight", "loss.soft_label_weight"),
    Flag("distill_loss_type", "loss.soft_loss"),
    Flag("feature_loss_type", "loss.feature_loss"),
    Flag("align_feature", "loss.align_feature", is_switch=True),
    Flag("lora_rank", "lora.rank"),
    Flag("lora_alpha", "lora.alpha"),
    Flag("lora_dropout", "lora.dropout"),
    Flag("lora_target_modules", "lora.target_modules", is_list=True),
    Flag("lora_bias", "lora.bias"),
    Flag("output_dir", "run.output_dir", required=True),
)

MORE_FLAGS: tuple[Flag, ...] = (
    Flag("seed", "run.seed"),
    Flag("processes", "run.processes"),
    Flag("baseline", "report.baseline", is_switch=True),
    Flag("cache", "cache.mode"),
    Flag("type", "data.type"),
    Flag("feature_weight", "loss.feature_weight"),
)
"""Tandem's own, beside the contract's."""

SCRIPT_DEFAULTS: Mapping[str, str] = {"temperature": "4.0"}
"""Where the contract of train_qwen_vl_distillation.py has another default than the field."""

TEXT_SCRIPT_DEFAULTS: Mapping[str, str] = {
    "temperature": "3.0",
    "hard_label_weight": "0.3",
    "soft_label_weight": "0.7",
    "lora_rank": "16",
}
"""Where train_distillation.py differs from train_qwen_vl_distillation.py."""

REST: Mapping[str, str] = {
    "taskId": "task_id",
    "teacherModel": "teacher.name",
    "studentModel": MODEL,
    "datasetId": "data.dataset",
    "valDatasetId": "data.val_dataset",
    "epochs": "optim.epochs",
    "totalEpochs": "optim.epochs",
    "batchSize": "optim.batch_size",
    "learningRate": "optim.learning_rate",
    "loraRank": "lora.rank",
    "loraAlpha": "lora.alpha",
    "loraDropout": "lora.dropout",
    "temperature": "loss.temperature",
    "alpha": ALPHA,
    "trainingMode": "mode",
    "optimizer": "optim.optimizer",
    "lrScheduler": "optim.scheduler",
    "weightDecay": "optim.weight_decay",
    "gradAccumSteps": "optim.grad_accum_steps",
    "maxGradNorm": "optim.max_grad_norm",
    "gpuDevices": "run.devices",
    "autoSaveCheckpoint": "run.save_checkpoints",
    "checkpointInterval": "run.checkpoint_interval",
    "teacherModelPath": "teacher.path",
    "teacherQuantization": "teacher.precision",
    "studentInitMethod": "student.init",
    "studentPretrainPath": "student.path",
    "studentModelType": "student.type",
    "studentModelSize": "student.size",
    "taskType": "kind",
    "numClasses": "data.num_classes",
    "imageSize": "data.image_size",
    "loraTargetModules": "lora.target_modules",
    "loraLayers": "lora.layers",
    "loraBiasTrain": "lora.bias",
    "distillationType": "loss.distillation_type",
    "featureLossType": "loss.feature_loss",
    "alignFeature": "loss.align_feature",
    "featureWeight": "loss.feature_weight",
    "hardLabelWeight": "loss.hard_label_weight",
    "softLabelWeight": "loss.soft_label_weight",
    "distillLossType": "loss.soft_loss",
    "intermediateLayers": "loss.intermediate_layers",
    "attentionDistill": "loss.attention_weight",
    "teacherModelConfig.modelPath": "teacher.path",
    "teacherModelConfig.quantization": "teacher.precision",
    "studentModelConfig.initMethod": "student.init",
    "studentModelConfig.pretrainPath": "student.path",
    "loraAdvancedConfig.targetModules": "lora.target_modules",
    "loraAdvancedConfig.layers": "lora.layers",
    "loraAdvancedConfig.biasTrain": "lora.bias",
    "distillationAdvancedConfig.hardLabelWeight": "loss.hard_label_weight",
    "distillationAdvancedConfig.softLabelWeight": "loss.soft_label_weight",
    "distillationAdvancedConfig.featureWeight": "loss.feature_weight",
    "distillationAdvancedConfig.lossType": "loss.soft_loss",
    "distillationAdvancedConfig.intermediateLayers": "loss.intermediate_layers",
    "distillationAdvancedConfig.attentionDistill": "loss.attention_weight",
}

REST_ONLY = frozenset(
    {
        "taskName",
        "description",
        "teacherParamSize",
        "studentParamSize",
        "teacherModelConfig.paramSize",
        "studentModelConfig.paramSize",
    }
)
"""Names for people to read: they choose nothing."""

_LISTS = {"lora.target_modules", "loss.intermediate_layers", "run.devices"}
_TEXTS = {"data.dataset", "data.val_dataset", "task_id"}


def put(tree: SpecTree, path: str, value: object) -> None:
    """Set a dotted path in a tree of dicts."""
    *above, last = path.split(".")
    for step in above:
        below = tree.setdefault(step, {})
        if not isinstance(below, dict):
            raise SpecError("{path} has no parts.", path=step, got=below)
        tree = below
    tree[last] = value


def get(tree: Mapping[str, object], path: str) -> Any:
    """What lies at a dotted path; None where nothing does."""
    here: Any = tree
    for step in path.split("."):
        here = here.get(step) if isinstance(here, Mapping) else None
    return here


def read_value(path: str, value: object) -> Any:
    """One value as installed systems write it, as the field wants it."""
    if path == "run.devices" and isinstance(value, str | int):
        text = str(value).strip().lower()
        return text if text in ("auto", "cpu") else _split(text) or "auto"
    if path == "run.devices" and not value:
        return "auto"
    if path in _LISTS and isinstance(value, str):
        return _split(value)
    if path == "teacher.precision" and value in ("none", ""):
        return "auto"
    if path == "loss.attention_weight" and isinstance(value, bool):
        return float(value)
    if path in _TEXTS and isinstance(value, int):
        return str(value)
    return value


def from_rest(fields: Mapping[str, object]) -> SpecTree:
    """A task as the REST surface describes it (flat, nested, or both), as a RunSpec's tree.

    Raises SpecError on a name that is not in the contract.
    """
    tree: SpecTree = {}
    for name, value in _flat(fields):
        if name in REST_ONLY or value is None:
            continue
        if name not in REST:
            raise _unknown(name)
        put(tree, REST[name], read_value(REST[name], value))
    complete(tree)
    return tree


def _unknown(name: str) -> SpecError:
    near = nearest(name, [*REST, *REST_ONLY])
    if near is None:
        return SpecError("There is no field {name}.", name=name)
    return SpecError("There is no field {name}; did you mean {near}?", name=name, near=near)


def is_rest(tree: Mapping[str, object]) -> bool:
    """Whether a file speaks the REST surface's names, not the RunSpec's."""
    names = {name for name, _ in _flat(tree)}
    return bool(names & REST.keys()) and not names & {"data", "run", "optim", "loss"}


def complete(tree: SpecTree) -> None:
    """Draw the conclusions that installed systems expect, where nothing else is said."""
    loss, student = tree.get("loss", {}), tree.get("student", {})
    if not isinstance(loss, dict) or not isinstance(student, dict):
        return  # the check of the whole tree says so
    alpha = loss.pop("alpha", None)
    if alpha is not None:
        soft = _ratio(alpha)
        loss.setdefault("soft_label_weight", soft)
        loss.setdefault("hard_label_weight", round(1 - soft, 12))
    if loss.get("intermediate_layers"):
        loss.setdefault("intermediate_weight", 1.0)
    if student.get("path"):
        student.setdefault("init", "pretrained")


def _ratio(alpha: Any) -> float:
    try:
        soft = float(alpha)
    except (TypeError, ValueError):
        soft = -1.0
    if not 0 <= soft <= 1:
        raise SpecError("alpha must be a number from 0 to 1.", got=alpha)
    return soft


def _flat(fields: Mapping[str, object]) -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    for name, value in fields.items():
        if name.endswith("Config") and isinstance(value, Mapping):
            found += [(f"{name}.{below}", one) for below, one in value.items()]
        else:
            found.append((name, value))
    return found


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
