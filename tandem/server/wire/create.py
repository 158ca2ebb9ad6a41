"""What installed clients send to create a task or to tell of one."""

from __future__ import annotations

import json
import re
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    WithJsonSchema,
)

from tandem.server.wire.envelope import Camel
from tandem.spec.plugins.losses import FeatureLoss, SoftLoss
from tandem.spec.run import KindName
from tandem.spec.state import State

INT_MOST = 2**31 - 1
ShortText = Annotated[str, Field(max_length=100)]
MOST = 256
PathText = Annotated[str, Field(max_length=1000)]


def _as_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _sized(value: object) -> object:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if is_number else value


def _split(value: object) -> object:
    """A list, written as one or with commas between. Of a union, a fault would name its parts."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return [value] if isinstance(value, int) and not isinstance(value, bool) else value


def _either(one: dict[str, object], *others: str) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [one, *({"type": other} for other in others)]})


_NUMBERS = {"type": "array", "items": {"type": "integer"}, "maxItems": MOST}
_WORDS = {"type": "array", "items": {"type": "string", "maxLength": 100}, "maxItems": MOST}
_WORD = {"type": "string", "maxLength": 100}
_ID = {"type": "string", "minLength": 1, "maxLength": 100}
IdText = Annotated[
    str,
    Field(min_length=1, max_length=100),
    BeforeValidator(_as_text),
    _either(_ID, "integer"),
]
NumberList = Annotated[
    list[int], Field(max_length=MOST), BeforeValidator(_split), _either(_NUMBERS, "string")
]
WordList = Annotated[
    list[ShortText], Field(max_length=MOST), BeforeValidator(_split), _either(_WORDS, "string")
]


def _gpus(value: object) -> list[int] | str:
    """`auto`, `cpu`, or the numbers."""
    found = _split(value)
    words = [str(one) for one in found] if isinstance(found, list) else [""]
    if [one.lower() for one in words] in (["auto"], ["cpu"]):
        return words[0].lower()
    if len(words) > MOST or not all(re.fullmatch(r"[0-9]{1,6}", one) for one in words):
        raise ValueError("it must be GPU numbers such as 0,1, or cpu, or auto")
    return [int(one) for one in words]


GpuList = Annotated[list[int] | str, PlainValidator(_gpus), _either(_NUMBERS, "integer", "string")]
LossWeight = Annotated[float, Field(ge=0, le=1e6)]
SizeText = Annotated[str, Field(max_length=100), BeforeValidator(_sized), _either(_WORD, "number")]
Switch = Annotated[float, Field(ge=0, le=1e6), _either({"type": "boolean"}, "number")]


def _printable(name: str) -> str:
    if not name.strip():
        raise ValueError("it must not be empty")
    if any(ord(letter) < 32 or 127 <= ord(letter) < 160 for letter in name):
        raise ValueError("it must not hold control characters")
    return name


def _prose(text: str) -> str:
    if any((ord(letter) < 32 and letter not in "\t\r\n") or ord(letter) == 127 for letter in text):
        raise ValueError("it must not hold control characters")
    return text


PrintableName = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_printable)]
Prose = Annotated[str, Field(max_length=500), AfterValidator(_prose)]


class TeacherConfig(Camel):
    param_size: SizeText | None = None
    """For people to read; it chooses nothing."""
    model_path: PathText | None = None
    quantization: Literal["none", "", "auto", "fp32", "bf16", "fp16", "int8", "int4"] | None = None


class StudentConfig(Camel):
    param_size: SizeText | None = None
    """For people to read; it chooses nothing."""
    init_method: Literal["random", "xavier", "kaiming", "pretrained"] | None = None
    pretrain_path: PathText | None = None


class LoraConfig(Camel):
    target_modules: WordList | None = None
    layers: ShortText | None = None
    bias_train: Literal["none", "all", "lora_only"] | None = None


class DistillationConfig(Camel):
    hard_label_weight: LossWeight | None = None
    soft_label_weight: LossWeight | None = None
    feature_weight: LossWeight | None = None
    loss_type: SoftLoss | None = None
    intermediate_layers: NumberList | None = None
    attention_distill: Switch | None = None


class Advanced(Camel):
    """The advanced half: flat, in its four objects, or both. null is as if it were not there."""

    optimizer: Literal["adamw", "adam", "sgd", "adagrad"] | None = None
    lr_scheduler: Literal["cosine", "linear", "constant", "polynomial"] | None = None
    weight_decay: LossWeight | None = None
    grad_accum_steps: Annotated[int, Field(ge=1, le=4096)] | None = None
    max_grad_norm: LossWeight | None = None
    gpu_devices: GpuList | None = Field(None, examples=["0,1", [0, 1]])
    auto_save_checkpoint: bool | None = None
    checkpoint_interval: Annotated[int, Field(ge=1, le=INT_MOST)] | None = None
    teacher_param_size: SizeText | None = None
    """For people to read; it chooses nothing."""
    teacher_model_path: PathText | None = None
    teacher_quantization: (
        Literal["none", "", "auto", "fp32", "bf16", "fp16", "int8", "int4"] | None
    ) = None
    student_param_size: SizeText | None = None
    """For people to read; it chooses nothing."""
    student_init_method: Literal["random", "xavier", "kaiming", "pretrained"] | None = None
    student_pretrain_path: PathText | None = None
    student_model_type: Annotated[str, Field(max_length=50)] | None = None
    student_model_size: Annotated[str, Field(max_length=50)] | None = None
    task_type: KindName | None = None
    num_classes: Annotated[int, Field(ge=2, le=INT_MOST)] | None = None
    image_size: Annotated[int, Field(ge=16, le=2048)] | None = None
    lora_target_modules: WordList | None = Field(None, examples=["q_proj,v_proj"])
    lora_layers: ShortText | None = Field(None, examples=["all", "0-11"])
    lora_bias_train: Literal["none", "all", "lora_only"] | None = None
    distillation_type: Literal["feature", "logit", "hybrid"] | None = None
    feature_loss_type: FeatureLoss | None = None
    align_feature: bool | None = None
    feature_weight: LossWeight | None = None
    """1 when nothing is said; the weight of the loss on features."""
    hard_label_weight: LossWeight | None = None
    soft_label_weight: LossWeight | None = None
    distill_loss_type: SoftLoss | None = None
    intermediate_layers: NumberList | None = None
    attention_distill: Switch | None = None
    teacher_model_config: TeacherConfig | None = None
    student_model_config: StudentConfig | None = None
    lora_advanced_config: LoraConfig | None = None
    distillation_advanced_config: DistillationConfig | None = None


def _parsed(value: object) -> object:
    if not isinstance(value, str):
        return value
    if not value.strip():
        return None
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise ValueError("it must be a JSON object, or the text of one") from None


Config = Annotated[
    Advanced | None,
    BeforeValidator(_parsed),
    WithJsonSchema(
        {
            "anyOf": [
                {"$ref": "#/components/schemas/Advanced"},
                {"type": "string"},
                {"type": "null"},
            ],
            "description": "The advanced half whole; a field beside it wins.",
        }
    ),
]


class CreateFields(Advanced):
    """A task, but for its name."""

    teacher_model: Annotated[PrintableName, Field(max_length=100, examples=["qwen2.5-vl-7b"])]
    student_model: Annotated[PrintableName, Field(max_length=100, examples=["resnet/resnet50"])]
    dataset_id: IdText = Field(examples=["cifar10-train"])
    val_dataset_id: IdText | None = None
    epochs: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """50 when nothing is said."""
    total_epochs: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """The same as epochs."""
    batch_size: Annotated[int, Field(ge=1, le=65_536)] | None = None
    """32 when nothing is said."""
    learning_rate: Annotated[float, Field(gt=0, lt=100)] | None = None
    """0.001 when nothing is said."""
    lora_rank: Annotated[int, Field(ge=0, le=512)] | None = None
    """16 when nothing is said; 0: off."""
    lora_alpha: Annotated[int, Field(gt=0, le=INT_MOST)] | None = None
    """32 when nothing is said."""
    lora_dropout: Annotated[float, Field(ge=0, lt=1)] | None = None
    """0.05 when nothing is said."""
    temperature: Annotated[float, Field(gt=0, le=999.99)] | None = None
    """3.0 when nothing is said."""
    alpha: Annotated[float, Field(ge=0, le=1)] | None = None
    """0.7 when nothing is said; the soft-label weight, and 1 - alpha the hard-label weight."""
    training_mode: Literal["distillation", "direct"] | None = None
    """distillation when nothing is said."""
    training_config: Config = None


DEFAULTS: dict[str, object] = {
    "epochs": 50,
    "batchSize": 32,
    "learningRate": 0.001,
    "loraRank": 16,
    "loraAlpha": 32,
    "loraDropout": 0.05,
    "temperature": 3.0,
    "alpha": 0.7,
    "trainingMode": "distillation",
}
"""The contract's defaults; null is as if the field were not there."""


class CreateTask(CreateFields):
    """A new task."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "taskName": "测试-图像分类-ResNet50",
                    "teacherModel": "qwen2.5-vl-7b",
                    "studentModel": "resnet/resnet50",
                    "datasetId": "cifar10-train",
                    "epochs": 10,
                }
            ]
        }
    )
    task_name: PrintableName
    description: Prose | None = None

    def flat(self) -> dict[str, object]:
        """Without what names it."""
        return flat(self)


def flat(fields: CreateFields) -> dict[str, object]:
    """The client's own fields by their camelCase names; trainingConfig is still one of them."""
    given = fields.model_dump(by_alias=True, exclude_none=True)
    return {k: v for k, v in given.items() if k not in ("taskName", "description")}


ReportedFloat = Annotated[float, Field(allow_inf_nan=True)]
"""One that is no number, or too large, is left out and said: no epoch is lost for it."""


class ProgressReport(Camel):
    """How far a run elsewhere is. Accuracies in percent."""

    model_config = ConfigDict(allow_inf_nan=True)
    current_epoch: Annotated[int, Field(ge=0, le=INT_MOST)] | None = None
    total_epochs: Annotated[int, Field(ge=1, le=INT_MOST)] | None = None
    accuracy: ReportedFloat | None = None
    loss: ReportedFloat | None = None
    train_loss: ReportedFloat | None = None
    val_loss: ReportedFloat | None = None
    val_accuracy: ReportedFloat | None = None
    status: State | None = None
