"""First weights of a student: drawn by a scheme, or those that `_weights` reads, fitted to it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn

from tandem.spec.errors import StudentError
from tandem.spec.i18n import t
from tandem.spec.run import StudentSpec
from tandem.train.students._timm import TimmStudent
from tandem.train.students._weights import read_weights
from tandem.train.types import Student

ConvertWeights = Callable[..., dict[str, Tensor]]
"""Takes foreign weights and the network; timm's take each their own class of it."""
LAST_LAYER = 2
"""A weight and a bias: what a head for other classes lacks."""


def initialise(
    student: TimmStudent, spec: StudentSpec, convert: ConvertWeights | None = None
) -> None:
    """Give the student its first weights, drawn from torch's global generator.

    random: timm's own scheme for the network. kaiming: He et al. 2015, normal, fan-in.
    xavier: Glorot and Bengio 2010, uniform. pretrained: `spec.path`; a class head of another size
    is replaced, and `student.notes` says so. `convert` fits foreign weights to the network.
    """
    if spec.init in ("kaiming", "xavier"):
        draw(student.net, spec.init)
    elif spec.init == "pretrained":
        _load_pretrained(student, spec, convert)


def draw(net: nn.Module, scheme_name: str) -> None:
    """Redraw every convolution and linear layer: `kaiming` or `xavier`; norms start over."""
    scheme: Callable[[Tensor], Tensor] = nn.init.xavier_uniform_
    if scheme_name == "kaiming":
        scheme = partial(nn.init.kaiming_normal_, nonlinearity="relu")
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            scheme(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d | nn.LayerNorm):
            # timm starts the last norm of a residual branch at zero; these two schemes do not.
            module.reset_parameters()


def _load_pretrained(
    student: TimmStudent, spec: StudentSpec, convert: ConvertWeights | None
) -> None:
    weights, config = read_weights(path_of(spec), spec.size)
    weights = _strip(weights, "net.")
    _take_dual_head(weights, student)
    mean, std = weights.pop("input_mean", None), weights.pop("input_std", None)
    if convert is not None:
        weights = convert(weights, student.net)
    weights = _fit_head(weights, student)
    _check(weights, student, spec)
    student.net.load_state_dict(weights, strict=False)
    if mean is not None and std is not None:
        student.normalise_with(mean.flatten().tolist(), std.flatten().tolist())
    else:
        mean_config, std_config = config.get("mean"), config.get("std")
        if isinstance(mean_config, list | tuple) and isinstance(std_config, list | tuple):
            student.normalise_with(mean_config, std_config)


def load_pretrained(
    student: Student, spec: StudentSpec, encoder: str = "", foreign: str = ""
) -> None:
    """All weights of a model of ours, or those of its encoder alone where they are that.

    `encoder` is what its names begin with in the student, `foreign` what they may begin with there.
    StudentError as `load_fitting`.
    """
    weights, _ = read_weights(path_of(spec), spec.size)
    load_fitting(student, spec, weights, encoder=encoder, foreign=foreign)


def load_fitting(
    student: Student,
    spec: StudentSpec,
    weights: dict[str, Tensor],
    *,
    encoder: str = "",
    foreign: str = "",
    head: str | tuple[str, ...] | None = None,
) -> None:
    """What fits by name and shape; the rest starts as drawn, and `student.notes` says so.

    What does not fit but the last layer, or names that begin with `head`, is a StudentError.
    """
    own = student.state_dict()
    if encoder and not any(name in own for name in weights):
        weights = {encoder + k.removeprefix(foreign): value for k, value in weights.items()}
    fitting = {k: v for k, v in weights.items() if k in own and own[k].shape == v.shape}
    lost = [k for k in own if k.startswith(encoder) and k not in fitting and "num_batches" not in k]
    if head is not None:
        lost = [k for k in lost if not k.startswith(head)]
    if len(fitting) < len(own) // 4 or (lost and len(lost) > LAST_LAYER):
        raise StudentError(
            "The weights {path} are not those of {size}: {missing} of its names are missing there "
            "(first: {first_missing}), {foreign} are unknown (first: {first_foreign}).",
            path=spec.path,
            size=spec.size,
            missing=len(lost),
            first_missing=(lost or ["-"])[0],
            foreign=len(weights) - len(fitting),
            first_foreign=next((k for k in weights if k not in fitting), "-"),
            fix="Give the weights of the same type and size.",
        )
    student.load_state_dict(fitting, strict=False)
    fresh = [k for k in own if k not in fitting and "num_batches" not in k]
    if fresh:
        student.notes += (
            t(
                "{count} of the student's weights are not in {path} and start as drawn: {first}, …",
                count=len(fresh),
                path=spec.path,
                first=fresh[0],
            ),
        )


def path_of(spec: StudentSpec) -> str:
    """Where pretrained weights are; StudentError where the spec does not say."""
    if not spec.path:
        raise StudentError(
            "Pretrained weights of {size} were asked for, but not where they are.",
            size=spec.size,
            fix="Give student.path (--student_path): a .safetensors or .pth file, a folder, or a "
            "hub id; or set student.init to random.",
        )
    return spec.path


def _strip(weights: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in weights.items()}


def _take_dual_head(weights: dict[str, Tensor], student: TimmStudent) -> None:
    """A second head that a model of ours has is no network's: it goes to the student's, if any."""
    own = {k.removeprefix("dual_head."): weights.pop(k) for k in list(weights) if "dual_head." in k}
    if student.dual_head is None:
        return
    shapes = {k: v.shape for k, v in student.dual_head.state_dict().items()}
    if {k: v.shape for k, v in own.items()} == shapes:
        student.dual_head.load_state_dict(own)


def _fit_head(weights: dict[str, Tensor], student: TimmStudent) -> dict[str, Tensor]:
    head = _head_name(student)
    there = weights.get(f"{head}.weight")
    if student.mask_head is not None:
        return _without_head(weights, head, student)
    if there is not None and there.shape[0] == student.num_classes:
        return weights
    student.notes += (
        t(
            "The pretrained class head is replaced: it knew {had} classes, not these {now}.",
            had=0 if there is None else there.shape[0],
            now=student.num_classes,
        ),
    )
    return {k: v for k, v in weights.items() if not k.startswith(f"{head}.")}


def _without_head(weights: dict[str, Tensor], head: str, student: TimmStudent) -> dict[str, Tensor]:
    """A class head says nothing of pixels; the mask's own starts as drawn, unless it is there."""
    own = {k.removeprefix("mask_head."): v for k, v in weights.items() if "mask_head." in k}
    assert student.mask_head is not None
    shapes = {k: v.shape for k, v in student.mask_head.state_dict().items()}
    if {k: v.shape for k, v in own.items()} == shapes:
        student.mask_head.load_state_dict(own)
    return {
        k: v for k, v in weights.items() if not k.startswith(f"{head}.") and "mask_head." not in k
    }


def _head_name(student: TimmStudent) -> str:
    head = student.classifier()
    names: list[str] = [name for name, module in student.net.named_modules() if module is head]
    return names[0]


def _check(weights: dict[str, Tensor], student: TimmStudent, spec: StudentSpec) -> None:
    """Every key and shape must agree, but for the class head and counters."""
    head, own = f"{_head_name(student)}.", student.net.state_dict()
    ignored = (head, "num_batches_tracked")
    missing = [k for k in own if k not in weights and not any(part in k for part in ignored)]
    foreign = [k for k in weights if k not in own and ignored[1] not in k]
    if missing or foreign:
        raise StudentError(
            "The weights {path} are not those of {size}: {missing} of its names are missing there "
            "(first: {first_missing}), {foreign} are unknown (first: {first_foreign}).",
            path=spec.path,
            size=spec.size,
            missing=len(missing),
            first_missing=(missing or ["-"])[0],
            foreign=len(foreign),
            first_foreign=(foreign or ["-"])[0],
            fix="Give the weights of a {size} as timm or torchvision saves them.",
        )
    for name, value in weights.items():
        if value.shape != own[name].shape:
            raise StudentError(
                "The weights {path} do not fit {size}: {name} has the shape {there}, not {here}.",
                path=spec.path,
                size=spec.size,
                name=name,
                there=tuple(value.shape),
                here=tuple(own[name].shape),
                fix="Choose the student size that the weights were saved from.",
            )
