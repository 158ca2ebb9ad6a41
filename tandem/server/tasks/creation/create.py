"""A task that a client describes, as its row and its RunSpec; no data base is asked."""

from __future__ import annotations

import copy
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import ValidationError

from tandem.config.fill import complete_tree
from tandem.config.settings import Settings
from tandem.config.without_effect import without_effect
from tandem.server.db.columns import fitted
from tandem.server.db.tables import DelFlag, Task
from tandem.server.errors import InvalidError, Problem
from tandem.server.host.clock import now
from tandem.server.tasks.creation.allowed_paths import confine
from tandem.server.tasks.creation.kind import kind_of
from tandem.server.wire.create import DEFAULTS, INT_MOST
from tandem.spec.errors import SpecError, StudentError, TeacherError
from tandem.spec.i18n import t
from tandem.spec.run import LossSpec, RunSpec
from tandem.spec.run.base import SpecTree
from tandem.spec.run.check import faults, paths
from tandem.spec.run.legacy import MODEL, REST, from_rest, get, put
from tandem.spec.run.loss import feature_weight_for
from tandem.spec.state import State

TRANSFORMERS = ("vit", "bert")
CONFIG_BYTES = 60_000  # of MySQL's 65,535
SERVICES_OWN = {
    "task_id": "The service gives the task its id.",
    "run.output_dir": "The service chooses the run's folder.",
    "report.api_base_url": "The service hears of its runs by itself.",
}
"""What a run's description may not say here, and why."""


@dataclass(frozen=True)
class Made:
    """A task to be inserted."""

    task_id: str
    row: dict[str, object]
    spec: str
    run_dir: str
    notes: list[str]
    data_root: Path | None = None
    datasets: Mapping[str, str | None] = field(default_factory=dict)
    """Its data sets' names, by the field that names each."""


@dataclass(frozen=True)
class _ClientWords:
    """What a client of surface A said and its row repeats, though the RunSpec says it otherwise.

    None: nothing was said, and the RunSpec decides.
    """

    prefix: str = ""
    """Stands before its names in what is refused."""
    lora_rank: object = None
    precision: object = None
    teacher_path: object = None
    teacher_model: object = None
    student_model: object = None
    alpha: object = None
    teacher_size: object = None
    student_size: object = None


def new_id() -> str:
    """`TASK_` and eight hexadecimal digits, as installed systems write it."""
    return f"TASK_{secrets.token_hex(4).upper()}"


def from_fields(
    fields: Mapping[str, object], settings: Settings, *, task_id: str, prefix: str = ""
) -> Made:
    """A task as surface A describes it; `prefix` stands before its names in what is refused."""
    given = _fields_by_name(fields)
    names = _names(given, prefix)
    if len({fields[name] for name in ("epochs", "totalEpochs") if fields.get(name)}) > 1:
        problem = t("epochs and totalEpochs are the same; give one of them.")
        raise InvalidError([{"field": f"{prefix}totalEpochs", "problem": problem}])
    plain = {name.rpartition("trainingConfig.")[2]: value for name, value in given}
    tree = _described(DEFAULTS | plain, prefix)
    words = _ClientWords(
        lora_rank=plain.get("loraRank", DEFAULTS["loraRank"]),
        precision=get(tree, "teacher.precision"),
        teacher_path=get(tree, "teacher.path"),
        teacher_model=plain.get("teacherModel"),
        student_model=plain.get("studentModel"),
        alpha=plain.get("alpha", DEFAULTS["alpha"]),
        teacher_size=plain.get("teacherParamSize") or plain.get("teacherModelConfig.paramSize"),
        student_size=plain.get("studentParamSize") or plain.get("studentModelConfig.paramSize"),
    )
    confine(tree, names, settings)
    if get(tree, "mode") == "direct":
        _without_teacher(tree, asked_lora="loraRank" in plain)
        vain = []  # installed clients send what distils all the same
    else:
        vain = without_effect(tree, [REST[name] for name in plain if name in REST], names)
    made = _made(tree, names, settings, task_id, words)
    return replace(made, notes=[*made.notes, *vain])


def from_spec(tree: SpecTree, settings: Settings, *, task_id: str, prefix: str = "") -> Made:
    """A task as a RunSpec's tree describes it."""
    for path, why in SERVICES_OWN.items():
        if get(tree, path) is not None:
            raise InvalidError([{"field": f"{prefix}{path}", "problem": t(why)}])
    names = {path: f"{prefix}{path}" for path in set(REST.values())}
    if get(tree, MODEL) is None:
        names[MODEL] = f"{prefix}student.size"
    vain = without_effect(tree, paths(), names)
    made = _made(copy.deepcopy(tree), names, settings, task_id, _ClientWords(prefix=prefix))
    return replace(made, notes=[*made.notes, *vain])


def _fields_by_name(fields: Mapping[str, object]) -> list[tuple[str, object]]:
    """Each field by its whole name; the ones that count most come last."""
    found: dict[str, object] = {}
    config = fields.get("trainingConfig")
    if isinstance(config, Mapping):
        for name, value in config.items():
            found |= _leaves(f"trainingConfig.{name}", value)
    for name, value in fields.items():
        if name != "trainingConfig":
            found |= _leaves(name, value)
    return [(name, value) for name, value in found.items() if value is not None]


def _leaves(name: str, value: object) -> dict[str, object]:
    if isinstance(value, Mapping):
        return {f"{name}.{below}": one for below, one in value.items()}
    return {name: value}


def _names(given: list[tuple[str, object]], prefix: str) -> dict[str, str]:
    """What the client called the fields of a RunSpec; else the contract's name for them."""
    names: dict[str, str] = {}
    for name, path in REST.items():
        names.setdefault(path, f"{prefix}{name}")
    for name, _ in given:
        plain = name.rpartition("trainingConfig.")[2]
        if plain in REST:
            names[REST[plain]] = f"{prefix}{name}"
    return names


def _described(fields: dict[str, object], prefix: str) -> SpecTree:
    if "totalEpochs" in fields:  # the default of `epochs` must not win
        fields["epochs"] = fields.pop("totalEpochs")
    try:
        return from_rest(fields)
    except SpecError as error:
        raise InvalidError([{"field": f"{prefix}alpha", "problem": str(error)}]) from error


def _made(
    tree: SpecTree, names: dict[str, str], settings: Settings, task_id: str, words: _ClientWords
) -> Made:
    given = copy.deepcopy(tree)
    confine(tree, names, settings)
    run_dir = settings.path("output_root") / task_id
    put(tree, "task_id", task_id)
    if isinstance(tree.get("run", {}), dict):
        put(tree, "run.output_dir", str(run_dir))
    notes = _completed(tree, names, settings)
    try:
        spec = RunSpec.model_validate(tree)
    except ValidationError as error:
        raise InvalidError(_problems(faults(error, names), names, words.prefix)) from None
    _check_devices(spec, names)
    row = _row(spec, given, words)
    fit, left_out = fitted(Task, row)
    if left_out:
        raise InvalidError([_too_large(name) for name in left_out])
    datasets = {
        names.get("data.dataset", f"{words.prefix}data.dataset"): spec.data.dataset,
        names.get("data.val_dataset", f"{words.prefix}data.val_dataset"): spec.data.val_dataset,
    }
    return Made(task_id, fit, spec.model_dump_json(), str(run_dir), notes, spec.data.root, datasets)


def _without_teacher(tree: SpecTree, *, asked_lora: bool) -> None:
    """Labels alone. Installed clients name a teacher, and its LoRA, all the same.

    A student that LoRA can adapt takes it where it was asked for; the others leave it.
    """
    tree.pop("teacher", None)
    student = f"{get(tree, 'student.type') or ''} {get(tree, 'student.size') or ''} " + str(
        get(tree, MODEL) or ""
    )
    if not asked_lora or not any(one in student.lower() for one in TRANSFORMERS):
        put(tree, "lora.rank", 0)


def _completed(tree: SpecTree, names: dict[str, str], settings: Settings) -> list[str]:
    """What the configuration knows, filled in; a fault is of the field that it is about."""
    try:
        return complete_tree(tree, names, settings, here=False)
    except TeacherError as error:
        field = names.get("teacher.name", "teacher.name")
        raise InvalidError([{"field": field, "problem": str(error)}]) from error
    except StudentError as error:
        wrong = "kind" if "kind" in error.fields else MODEL
        field = names.get(wrong, "student.size")
        raise InvalidError([{"field": field, "problem": str(error)}]) from error
    except SpecError as error:
        field = names.get("kind" if get(tree, "kind") else "data.dataset", "data.dataset")
        raise InvalidError([{"field": field, "problem": str(error)}]) from error


def _problems(found: list[tuple[str, str]], names: Mapping[str, str], prefix: str) -> list[Problem]:
    whole = names.get("teacher.name", "teacher.name")  # a fault of the whole: no teacher
    return [
        {"field": field if field.startswith(prefix) else f"{prefix}{field}", "problem": sentence}
        for field, sentence in ((field or whole, sentence) for field, sentence in found)
    ]


def _too_large(name: str) -> Problem:
    return {"field": name, "problem": t("It is too long or too large to be kept.")}


def _check_devices(spec: RunSpec, names: Mapping[str, str]) -> None:
    devices = spec.run.devices
    if isinstance(devices, list) and (len(set(devices)) < len(devices) or max(devices) > INT_MOST):
        field = names.get("run.devices", "run.devices")
        raise InvalidError([{"field": field, "problem": t("Each GPU counts once.")}])


def _row(spec: RunSpec, given: SpecTree, words: _ClientWords) -> dict[str, object]:
    """The columns of a new task."""
    at = now().replace(microsecond=0)
    lora, teacher = spec.lora, spec.teacher
    called = (teacher.name or Path(teacher.path or "").name[:100]) if teacher else ""
    return {
        "teacher_model": words.teacher_model or called,
        "student_model": words.student_model or spec.student.size,
        "total_epochs": spec.optim.epochs,
        "current_epoch": 0,
        "batch_size": spec.optim.batch_size,
        "learning_rate": spec.optim.learning_rate,
        # A column of numbers; what `auto` comes to is in the run's report.
        "temperature": None if spec.loss.temperature == "auto" else spec.loss.temperature,
        "alpha": _first(words.alpha, spec.loss.soft_label_weight),
        "lora_rank": _first(words.lora_rank, lora.rank),
        "lora_alpha": lora.alpha,
        "lora_dropout": lora.dropout,
        "training_config": _config(spec, given, words),
        "training_mode": spec.mode,
        "student_model_type": spec.student.type,
        "student_model_size": spec.student.size,
        "task_type": kind_of(spec),
        "num_classes": spec.data.num_classes,
        "status": State.PENDING,
        "progress": 0,
        "dataset_id": spec.data.dataset,
        "dataset_name": Path(spec.data.dataset).name,
        "val_dataset_id": spec.data.val_dataset,
        "val_dataset_name": spec.data.val_dataset and Path(spec.data.val_dataset).name,
        "create_time": at,
        "update_time": at,
        "del_flag": DelFlag.NORMAL,
    }


def _config(spec: RunSpec, given: SpecTree, words: _ClientWords) -> str:
    """`trainingConfig` as the contract shapes it, with what holds where nothing was said."""
    optim, loss, run, student = spec.optim, spec.loss, spec.run, spec.student
    precision = words.precision or (spec.teacher.precision if spec.teacher else "auto")
    config: dict[str, object] = {
        "optimizer": optim.optimizer,
        "lrScheduler": optim.scheduler,
        "weightDecay": optim.weight_decay,
        "gradAccumSteps": optim.grad_accum_steps,
        "maxGradNorm": optim.max_grad_norm,
        "gpuDevices": [] if run.devices == "auto" else run.devices,
        "autoSaveCheckpoint": run.save_checkpoints,
        "checkpointInterval": run.checkpoint_interval,
        "taskType": spec.kind,
        "numClasses": spec.data.num_classes,
        "imageSize": spec.data.image_size,
        "distillationType": loss.distillation_type,
        "featureLossType": loss.feature_loss,
        "alignFeature": loss.align_feature,
        **_feature_weight(loss),
        "teacherModelConfig": {
            "paramSize": words.teacher_size,
            "modelPath": words.teacher_path or get(given, "teacher.path"),
            "quantization": "none" if precision == "auto" else precision,
        },
        "studentModelConfig": {
            "paramSize": words.student_size,
            "initMethod": student.init,
            "pretrainPath": get(given, "student.path"),
        },
        "loraAdvancedConfig": {
            "targetModules": spec.lora.target_modules,
            "layers": spec.lora.layers,
            "biasTrain": spec.lora.bias,
        },
        "distillationAdvancedConfig": {
            "hardLabelWeight": loss.hard_label_weight,
            "softLabelWeight": loss.soft_label_weight,
            "lossType": loss.soft_loss,
            "intermediateLayers": loss.intermediate_layers,
            "attentionDistill": _switch(loss.attention_weight),
        },
    }
    text = json.dumps(config, ensure_ascii=False)
    if len(text.encode()) > CONFIG_BYTES:
        raise InvalidError([_too_large("trainingConfig")])
    return text


def _feature_weight(loss: LossSpec) -> dict[str, float]:
    """Where it was asked for: no client of the contract knows the field."""
    follows = loss.feature_weight == feature_weight_for(loss.model_dump())
    return {} if follows else {"featureWeight": loss.feature_weight}


def _first(said: object, otherwise: object) -> object:
    return otherwise if said is None else said


def _switch(weight: float) -> bool | float:
    """Installed systems know it as on or off."""
    return bool(weight) if weight in (0, 1) else weight


def of_row(row: Mapping[str, object]) -> dict[str, object]:
    """What a task of an installed system says of itself, as a client would have sent it."""
    try:
        config = json.loads(str(row["training_config"] or "{}"))
    except (ValueError, RecursionError):
        config = None
    if not isinstance(config, dict):
        raise InvalidError(
            [{"field": "trainingConfig", "problem": t("It is no JSON object; mend it first.")}]
        )
    columns = {
        "teacherModel": "teacher_model", "studentModel": "student_model",
        "datasetId": "dataset_id", "valDatasetId": "val_dataset_id", "epochs": "total_epochs",
        "batchSize": "batch_size", "learningRate": "learning_rate", "loraRank": "lora_rank",
        "loraAlpha": "lora_alpha", "loraDropout": "lora_dropout", "temperature": "temperature",
        "alpha": "alpha", "trainingMode": "training_mode",
    }  # fmt: skip
    fields = {name: row[column] for name, column in columns.items()}
    if fields["trainingMode"] not in (None, "distillation", "direct"):
        fields["trainingMode"] = None  # old consoles kept other words there
    return fields | {"trainingConfig": config}
