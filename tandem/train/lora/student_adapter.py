"""Low-rank adapters in a student (Hu et al. 2021): trained in place of its weights, then merged."""

from __future__ import annotations

from torch import nn

from tandem.spec.errors import SpecError, StudentError, TeacherError
from tandem.spec.i18n import t
from tandem.spec.run import LoraSpec, RunSpec
from tandem.train.pretrained.adapters import Adapter, choose_targets, linear_names
from tandem.train.pretrained.quantize import hush
from tandem.train.types import Student

DEFAULTS = (("qkv",), ("query", "value"), ("q_proj", "v_proj"))
ADAPTABLE = ("vit: qkv, proj, fc1, fc2", "bert: query, key, value, dense")
"""Students with such layers, and the layers: what is said of one that has none."""
HEADS = ("classifier", "head", "fc", "mask_head", "classify", "dual_head")
"""Fresh layers: they learn whole."""


def wanted(spec: RunSpec) -> bool:
    """Whether the student, not the teacher, is what `lora` speaks of."""
    if spec.lora.rank == 0 or spec.lora.on == "teacher":
        return False
    return spec.lora.on == "student" or spec.mode == "direct"


def check(spec: RunSpec) -> None:
    """SpecError for adapters of a teacher that is not there."""
    if spec.lora.rank > 0 and spec.lora.on == "teacher" and spec.mode == "direct":
        raise SpecError(
            "lora.on is teacher, but this run has none.", fix="Set lora.on to auto or student."
        )


def attach(student: Student, lora: LoraSpec) -> None:
    """Put adapters into the student, freeze the rest but its head, in place.

    StudentError lists what could be targeted where a target does not exist.
    """
    hush()
    from peft import LoraConfig, inject_adapter_in_model

    heads = [name for name, _ in student.named_children() if name in HEADS]
    told: list[str] = []
    try:
        targets = choose_targets(student, lora, DEFAULTS, told.append)
    except TeacherError as error:
        names = error.allowed
        if not linear_names(student):
            raise StudentError(
                "This student has no layer that LoRA could adapt: it is no transformer.",
                allowed=ADAPTABLE,
                fix="Set lora.rank to 0, or choose one of these students and their layers.",
            ) from error
        raise StudentError(
            "This student has no layer {absent} for LoRA to adapt.",
            absent=error.fields.get("absent") or lora.layers,
            allowed=names,
            fix="Change lora.target_modules or lora.layers, or set lora.rank to 0.",
        ) from error
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,  # type: ignore[arg-type]
        lora_dropout=lora.dropout,
        target_modules=targets,
        bias=lora.bias,
    )
    inject_adapter_in_model(config, student)
    for name in heads:
        student.get_submodule(name).requires_grad_(True)
    _unfreeze_inner_head(student)
    learnt = sum(one.numel() for one in student.parameters() if one.requires_grad)
    whole = sum(one.numel() for one in student.parameters())
    student.notes += (
        *told,
        t(
            "LoRA of rank {rank} in {count} layers of the student: {learnt} of {whole} weights "
            "learn, the rest stay as they start.",
            rank=lora.rank,
            count=len(targets),
            learnt=learnt,
            whole=whole,
        ),
    )


def _unfreeze_inner_head(student: Student) -> None:
    """timm's classifier lies inside its network."""
    classifier = getattr(student, "classifier", None)
    if classifier is not None and not isinstance(classifier, nn.Module):
        classifier().requires_grad_(True)


def merge(student: Student, lora: LoraSpec) -> Adapter:
    """Add the adapters into the weights, in place, and give back what they were."""
    from peft.tuners.lora import LoraLayer

    state = student.state_dict()
    learnt = {name for name, one in student.named_parameters() if one.requires_grad}
    if lora.bias == "none":
        learnt = set()  # the head's bias is learnt whole, as its weight is
    weights = {
        f"base_model.model.{name.replace('.default', '')}": value.detach().cpu().clone()
        for name, value in state.items()
        if ".lora_" in name or (name.endswith("bias") and name in learnt)
    }
    targets = []
    for name, module in list(student.named_modules()):
        if isinstance(module, LoraLayer):
            module.merge()
            parent = student.get_submodule(name.rpartition(".")[0])
            setattr(parent, name.rpartition(".")[2], module.get_base_layer())
            targets.append(name)
    student.requires_grad_(True)
    config = {
        "peft_type": "LORA",
        "r": lora.rank,
        "lora_alpha": lora.alpha,
        "lora_dropout": lora.dropout,
        "bias": lora.bias,
        "target_modules": targets,
    }
    return Adapter(config, weights)
