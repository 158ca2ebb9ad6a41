"""RunSpec: the one configuration of a run, whichever entrance it came through."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from tandem.spec.losses import FeatureLoss, SoftLoss

KindName = Literal["classification", "detection", "segmentation", "sequence", "text"]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Gpus = Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)]
Fraction = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]


def _is_name(value: str) -> str:
    if not re.fullmatch(r"[\w\-. ]{1,100}", value) or value.strip(". ") == "":
        raise ValueError("letters, digits, '-', '_', '.' and spaces only, at most 100")
    return value


Name = Annotated[str, AfterValidator(_is_name)]


class Section(BaseModel):
    """A frozen part of the spec; an unknown key is an error, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    @field_validator("*", mode="before")
    @classmethod
    def _no_zero_byte(cls, value: object) -> object:
        """No file system takes one, and each library would fail over it in its own way."""
        if isinstance(value, str | Path) and "\0" in str(value):
            raise ValueError("a zero byte is in it; take it out")
        return value


class DataSpec(Section):
    root: Path | None = None
    """The datasets root; `<root>/<dataset>/train` is read. None: the dataset is a path itself."""
    dataset: str
    """The data set's id under the root, or a folder."""
    val_dataset: str | None = None
    """Another data set whose `val` (or else `train`) split validates. None: this one's `val`."""
    val_ratio: Annotated[float, Field(gt=0, lt=0.9)] = 0.15
    """Held out of train, stratified and seeded, where there is no `val`."""
    num_classes: Annotated[int, Field(ge=1)] | None = None
    """Checked against the data set when given."""
    image_size: Annotated[int, Field(ge=16, le=2048)] = 224
    """Pixels a side that the student sees."""
    workers: Annotated[int, Field(ge=0, le=64)] | None = None
    """Loader processes. None: chosen from the cores."""
    max_image_pixels: Annotated[int, Field(ge=10_000)] = 120_000_000
    """A larger picture is refused before it is decoded."""


class TeacherSpec(Section):
    name: str | None = None
    """A name from the catalogue or the configuration."""
    path: str | None = None
    """A local folder, or a hub id; found from the name when absent."""
    family: str = "auto"
    """`qwen_vl`, `hf_vision`, `hf_text`, `yolov8`, `tandem`.

    auto: read from the checkpoint's config.json.
    """
    precision: Literal["auto", "fp32", "bf16", "fp16", "int8", "int4"] = "auto"
    """Of the teacher's weights. auto: bf16 on a GPU that has it, else fp32."""
    knowledge: Literal["auto", "own", "probe", "label_scoring", "lora", "none"] = "auto"
    """Where class scores come from.

    auto: lora if rank > 0, else its own where it was trained on these classes, else a probe, or
    without labels label scoring.
    """
    image_size: Annotated[int, Field(ge=28, le=2048)] = 224
    """Pixels a side that the teacher sees; rounded to its grid."""
    layers: list[int] = Field(default_factory=list)
    """Hidden layers whose tokens the intermediate-layer loss uses. Empty: spread evenly."""
    prompt: str | None = None
    """The question asked for label scoring; `{options}` is where the labels go."""
    label_orders: Annotated[int, Field(ge=1, le=16)] = 4
    """Orders of the labels that label scoring averages over."""
    probe_folds: Annotated[int, Field(ge=2, le=20)] = 5
    """A sample's soft label comes from the fold that left it out."""
    calibrate: bool = True
    """Fit a temperature on held-out labels."""
    frames: Annotated[int, Field(ge=0)] = 0
    """Of a clip that it sees, evenly spread. 0: all."""
    batch_size: Annotated[int, Field(ge=1, le=4096)] = 16
    """Images in one forward pass of the teacher."""


class LoraSpec(Section):
    """Low-rank adaptation (Hu et al. 2021): of the teacher, on the labelled part, before it
    teaches; or of the student, in place of all its weights."""

    rank: Annotated[int, Field(ge=0, le=512)] = 0
    """0: off."""
    on: Literal["auto", "teacher", "student"] = "auto"
    """Whose weights. auto: the teacher's; the student's where there is no teacher."""
    alpha: Positive = 16
    """The adapter is scaled by alpha / rank."""
    dropout: Fraction = 0.1
    """Of the adapter's input."""
    target_modules: list[str] = Field(default_factory=list)
    """Names of the layers adapted. Empty: the family's default."""
    layers: str = "all"
    """`all`, or a range such as `0-11`."""
    bias: Literal["none", "all", "lora_only"] = "none"
    """Which biases are trained too."""
    epochs: Annotated[int, Field(ge=1, le=1000)] = 3
    """Passes over the labelled pictures."""
    learning_rate: Positive = 2e-4
    """Of the adapter, before the student learns."""
    batch_size: Annotated[int, Field(ge=1, le=4096)] = 8
    """Images in one step of the adapter."""


class StudentSpec(Section):
    type: str = ""
    """`resnet`, `vit`, `yolov8`, `unet`, `lstm`, `bert`; may be left out when the size tells it."""
    size: str = ""
    """As `tandem catalog` lists them, such as resnet18 or vit-base. Empty: the type's default."""
    init: Literal["random", "xavier", "kaiming", "pretrained"] = "random"
    """How its weights start."""
    path: str | None = None
    """Weights for `pretrained`: a local file or folder, or a hub id."""
    dropout: Fraction = 0.0
    """Before the classifier."""
    head: Literal["class", "mask"] = "class"
    """What a ResNet or ViT ends in: class scores, or a mask; masks ask for the latter."""
    frames: Annotated[int, Field(ge=1, le=512)] = 8
    """Of a clip that the student sees, evenly spread; a shorter clip repeats its last."""
    pooling: Literal["last", "mean", "attention"] = "last"
    """Of an LSTM's states over the frames."""
    train_features: bool = False
    """Whether an LSTM's frame features are trained too."""
    max_tokens: Annotated[int, Field(ge=8, le=8192)] = 128
    """Of a text; what is longer is cut, and said."""
    quantise: Literal["none", "int8"] = "none"
    """int8: it learns with the rounding that an int8 export brings (quantisation-aware).

    Best of a student that is trained already: init pretrained, and its final_model as path.
    """
    vocab_size: Annotated[int, Field(ge=0)] = 0
    """Words of a text student's tokenizer. 0: what the tokenizer has."""


class LossSpec(Section):
    distillation_type: Literal["feature", "logit", "hybrid"] = "hybrid"
    """feature: dense features; logit: soft labels; hybrid: both."""
    temperature: Positive = 4.0
    """Of both sides in the soft-label terms."""
    hard_label_weight: Weight = 0.5
    """Of the cross-entropy on the labels."""
    soft_label_weight: Weight = 0.5
    """Of the loss on the teacher's soft labels."""
    soft_loss: SoftLoss = "kl_div"
    """How soft labels are compared."""
    feature_weight: Weight = 1.0
    """Of the loss on dense features."""
    feature_loss: FeatureLoss = "mse"
    """How dense features are compared."""
    align_feature: bool = True
    """A linear projector on the student's side; False needs equal widths."""
    attention_weight: Weight = 0.0
    """Of attention transfer. 0: off."""
    relation_weight: Weight = 0.0
    """Of relational distillation. 0: off."""
    intermediate_weight: Weight = 0.0
    """Of the loss on intermediate layers. 0: off."""
    intermediate_layers: list[int] = Field(default_factory=list)
    """Student stages matched to the teacher's layers, in order. Empty: spread evenly."""
    label_smoothing: Fraction = 0.0
    """Share of a label spread over all classes."""
    options: dict[str, dict[str, float]] = Field(default_factory=dict)
    """More knobs of a loss by its name, as the catalogue lists them."""


class OptimSpec(Section):
    epochs: Annotated[int, Field(ge=1, le=100_000)] = 100
    """Passes over the pictures."""
    batch_size: Annotated[int, Field(ge=1, le=65_536)] = 32
    """Images in a batch, over all devices together."""
    learning_rate: Positive = 1e-4
    """At its highest, after the warm-up."""
    optimizer: Literal["adamw", "adam", "sgd", "adagrad"] = "adamw"
    """What turns gradients into steps."""
    momentum: Fraction = 0.9
    """Of SGD."""
    scheduler: Literal["cosine", "linear", "constant", "polynomial"] = "cosine"
    """How the rate falls after the warm-up."""
    warmup_epochs: Weight = 0.0
    """Epochs in which the rate rises."""
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    """The same in optimizer steps, which count where they are given. 0: by epochs."""
    weight_decay: Weight = 0.01
    """None on norms and biases."""
    grad_accum_steps: Annotated[int, Field(ge=1, le=4096)] = 1
    """Batches summed into one optimizer step."""
    max_grad_norm: Weight = 1.0
    """0: no clipping."""
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Exponential moving average of the weights, used for evaluation. 0: off."""
    early_stopping_epochs: Annotated[int, Field(ge=0)] = 0
    """Epochs without a better validation accuracy. 0: off."""


class ViewSpec(Section):
    """The crops, flips and colours that teacher and student both see."""

    count: Annotated[int, Field(ge=1, le=64)] = 4
    """Views of each image, drawn once and replayed; the first is the whole image."""
    crop_scale_min: Annotated[float, Field(gt=0, le=1)] = 0.7
    """The smallest part of the area a crop keeps. 1: no crop."""
    flip: Literal["auto", "on", "off"] = "auto"
    """auto: off where a class is a digit, a letter, or names a side."""
    colour: Annotated[float, Field(ge=0, le=1)] = 0.2
    """Strength of brightness, contrast and saturation jitter. 0: off."""
    mixup: Weight = 0.0
    """Alpha of the Beta distribution (Zhang et al. 2018). 0: off."""
    cutmix: Weight = 0.0
    """Alpha of the Beta distribution (Yun et al. 2019). 0: off."""


class YoloSpec(Section):
    """What YOLOv8's own training knows besides: Ultralytics' augmentation and gains, under plain
    names and with its defaults. `views` is not used then."""

    mosaic: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Chance that four pictures are put together into one."""
    close_mosaic_epochs: Annotated[int, Field(ge=0)] = 10
    """Last epochs without mosaics."""
    degrees: Annotated[float, Field(ge=0, le=180)] = 0.0
    """Most degrees a picture is turned."""
    translate: Fraction = 0.1
    """Most it is moved, as a part of its side."""
    scale: Fraction = 0.5
    """Most it is made larger or smaller, as a part."""
    shear: Annotated[float, Field(ge=0, le=60)] = 0.0
    """Most degrees it is sheared."""
    flip_sideways: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Chance of a mirror image."""
    flip_upside_down: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Chance of an upside-down one."""
    hue: Annotated[float, Field(ge=0, le=1)] = 0.015
    """Most the hue is turned."""
    saturation: Annotated[float, Field(ge=0, le=1)] = 0.7
    """Most the saturation is changed."""
    value: Annotated[float, Field(ge=0, le=1)] = 0.4
    """Most the brightness is changed."""
    box_gain: Weight = 7.5
    """Of the box's IoU in the loss."""
    cls_gain: Weight = 0.5
    """Of the class in the loss."""
    dfl_gain: Weight = 1.5
    """Of the distribution of the box's edges in the loss."""
    nominal_batch_size: Annotated[int, Field(ge=1)] = 64
    """Pictures that one optimizer step sums up, where grad_accum_steps is 1."""
    final_rate: Annotated[float, Field(gt=0, le=1)] = 0.01
    """The last epoch's learning rate, as a part of the first's."""


class CacheSpec(Section):
    mode: Literal["on", "off"] = "on"
    """off: the teacher runs in every step, on the same views."""
    root: Path | None = None
    """None: `<output>/cache`. Tandem's entrances give TANDEM_HOME's."""
    grid: Annotated[int, Field(ge=1, le=128)] | None = None
    """Side of the dense grid kept. None: the student's own."""
    dims: Annotated[int, Field(ge=1)] | None = 256
    """Principal components of the dense tokens kept. None: all."""
    dtype: Literal["float32", "float16", "int8"] = "float16"
    """Of the numbers on disk: a smaller one takes less room."""
    verify_samples: Annotated[int, Field(ge=0, le=1000)] = 4
    """Cached samples run through the teacher again at start; they must agree."""


class ExecutionSpec(Section):
    output_dir: Path
    """The run's folder; `final_model/` will lie in it."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """Of the weights, the order of the pictures and their views."""
    devices: Literal["auto", "cpu"] | Gpus = "auto"
    """`auto`: every GPU in sight, else the CPU."""
    processes: Annotated[int, Field(ge=1, le=64)] | None = None
    """Data-parallel processes on the CPU; with GPUs it is one each. None: one."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """Of the student's forward pass. auto: bf16 on a GPU that has it, else fp32."""
    save_checkpoints: bool = True
    """False: one is saved on a stop only."""
    checkpoint_interval: Annotated[int, Field(ge=1)] = 10
    """Epochs between two."""
    log_interval: Annotated[int, Field(ge=1)] = 10
    """Optimizer steps between two metric events."""


class ReportSpec(Section):
    api_base_url: str | None = None
    """A service that speaks /model-distillation; None: the run folder only."""
    delivery_grace_seconds: Weight = 30.0
    """How long a finished run waits for a service that is away. The rest stays spooled."""
    tensorboard: bool = True
    """Also write TensorBoard's files."""
    baseline: bool = False
    """Also train the same student without the teacher, and compare."""


class RunSpec(Section):
    task_id: Name
    """Names the run; a service knows it by this too."""
    kind: KindName | None = None
    """None: found from the data."""
    mode: Literal["distillation", "direct"] = "distillation"
    """distillation: with a teacher; direct: on labels alone."""
    data: DataSpec
    teacher: TeacherSpec | None = None
    lora: LoraSpec = LoraSpec()
    student: StudentSpec = StudentSpec()
    loss: LossSpec = LossSpec()
    optim: OptimSpec = OptimSpec()
    views: ViewSpec = ViewSpec()
    yolo: YoloSpec = YoloSpec()
    cache: CacheSpec = CacheSpec()
    run: ExecutionSpec
    report: ReportSpec = ReportSpec()

    @model_validator(mode="after")
    def _teacher_given(self) -> RunSpec:
        named = self.teacher is not None and (self.teacher.name or self.teacher.path)
        if self.mode == "distillation" and not named:
            raise ValueError("distillation needs teacher.name or teacher.path; or mode: direct")
        return self
