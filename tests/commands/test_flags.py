"""From the words on a command line to a RunSpec."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tandem.commands.runs import flags
from tandem.config.fill import fill
from tandem.config.settings import load
from tandem.spec.errors import SpecError, StudentError, TandemError
from tandem.spec.run import RunSpec
from tandem.spec.run.check import paths
from tandem.spec.run.legacy import MODEL, SCRIPT_DEFAULTS, TEXT_SCRIPT_DEFAULTS

NEEDED = ["--task_id", "t", "--teacher_path", "/t", "--dataset_id", "d", "--output_dir", "/o"]


def spec(*words: str, defaults: dict[str, str] | None = None) -> RunSpec:
    given = flags.parse_arguments([*NEEDED, *words], defaults)
    return fill(given.tree, given.names, load())[0]


def at(spec: RunSpec, path: str) -> Any:
    here: Any = spec
    for step in path.split("."):
        here = getattr(here, step)
    return here


# One value for every flag of the contract's table, and what the RunSpec must hold for it.
EVERY: dict[str, tuple[str, object]] = {
    "task_id": ("job 7", "job 7"),
    "api_base_url": ("http://localhost:8080", "http://localhost:8080"),
    "training_mode": ("direct", "direct"),
    "teacher_model": ("qwen2.5-vl-7b", "qwen2.5-vl-7b"),
    "teacher_path": ("/data/qwen", "/data/qwen"),
    "student_model_type": ("vit", "vit"),
    "student_model_size": ("resnet50", "resnet50"),
    "student_path": ("/w.safetensors", "/w.safetensors"),
    "task_type": ("classification", "classification"),
    "num_classes": ("10", 10),
    "image_size": ("64", 64),
    "dataset_id": ("dataset_001", "dataset_001"),
    "val_dataset_id": ("dataset_002", "dataset_002"),
    "datasets_root": ("/data/sets", Path("/data/sets")),
    "epochs": ("7", 7),
    "batch_size": ("5", 5),
    "learning_rate": ("5e-5", 5e-5),
    "optimizer": ("sgd", "sgd"),
    "lr_scheduler": ("polynomial", "polynomial"),
    "weight_decay": ("0.5", 0.5),
    "grad_accum_steps": ("4", 4),
    "max_grad_norm": ("0.3", 0.3),
    "gpu_devices": ("0,1,2,3", [0, 1, 2, 3]),
    "auto_save_checkpoint": ("False", False),
    "checkpoint_interval": ("2", 2),
    "distillation_type": ("logit", "logit"),
    "temperature": ("2.5", 2.5),
    "hard_label_weight": ("0.1", 0.1),
    "soft_label_weight": ("0.9", 0.9),
    "distill_loss_type": ("cosine", "cosine"),
    "feature_loss_type": ("cosine", "cosine"),
    "align_feature": ("False", False),
    "lora_rank": ("8", 8),
    "lora_alpha": ("32", 32.0),
    "lora_dropout": ("0.05", 0.05),
    "lora_target_modules": ("q_proj,v_proj", ["q_proj", "v_proj"]),
    "lora_bias": ("lora_only", "lora_only"),
    "output_dir": ("/data/out", Path("/data/out")),
    "seed": ("3", 3),
    "processes": ("2", 2),
    "baseline": ("True", True),
    "cache": ("off", "off"),
    "type": ("yolo", "yolo"),
    "feature_weight": ("5", 5.0),
}


@pytest.mark.parametrize("name", flags.BY_NAME)
@pytest.mark.parametrize("style", ["--{name} {value}", "--{dashed}={value}"])
def test_every_flag_reaches_the_spec(name: str, style: str) -> None:
    flag = flags.BY_NAME[name]
    if flag.path == MODEL:
        assert spec("--student_model", "vit-base").student.size == "vit-base"
        return
    value, holds = EVERY[name]
    more = ["--student_model_size=vit-tiny"] if name == "student_model_type" else []
    written = style.format(name=name, dashed=name.replace("_", "-"), value=value)
    words = written.split(" ", 1) if style.count(" ") else [written]
    assert at(spec(*words, *more), flag.path) == holds


def test_the_flags_and_set_reach_every_field_there_is() -> None:
    by_flag = {flag.path for flag in flags.BY_NAME.values()}
    for path in paths().keys() - by_flag:
        given = flags.parse_arguments(["--set", f"{path}=1"])
        assert flags.get(given.tree, path) == 1


def test_a_weights_file_means_pretrained() -> None:
    assert spec("--student_path", "/w.safetensors").student.init == "pretrained"
    assert spec().student.init == "random"


def told(*words: str, defaults: dict[str, str] | None = None) -> list[str]:
    given = flags.parse_arguments([*NEEDED, *words], defaults)
    return fill(given.tree, given.names, load())[1]


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("--distillation_type feature --soft_label_weight 5", []),
        ("--distillation_type feature --soft_label_weight 5 --feature_weight 2",
         ["--soft_label_weight"]),
        ("--distillation_type feature --set loss.soft_label_weight=5 --feature_weight 2",
         ["loss.soft_label_weight"]),
        ("--distillation_type feature --temperature 3", ["--temperature"]),
        ("--distill_loss_type mse --temperature 3", ["--temperature"]),
        ("--distill_loss_type mse --temperature 4", []),
        ("--distillation_type logit --distill_loss_type cosine --temperature 3", []),
        ("--distillation_type feature --temperature 4 --soft_label_weight 0.5", []),
        ("--distillation_type feature --feature_weight 5 --hard_label_weight 2", []),
        ("--distillation_type logit --feature_weight 5 --align_feature False",
         ["--feature_weight", "--align_feature"]),
        ("--distillation_type logit --soft_label_weight 5", []),
        ("--distillation_type hybrid --soft_label_weight 5 --feature_weight 5", []),
        ("--training_mode direct --feature_loss_type cosine --baseline",
         ["--feature_loss_type", "--teacher_path", "--baseline"]),
    ],
)  # fmt: skip
def test_a_flag_without_effect_is_told(words: str, names: list[str]) -> None:
    assert [note.split(" has no effect")[0] for note in told(*words.split())] == names


def test_a_script_s_own_defaults_are_not_told(tmp_path: Path) -> None:
    script = dict(TEXT_SCRIPT_DEFAULTS)
    assert told("--distillation_type", "feature", defaults=script) == []
    assert len(told("--distillation_type=feature", "--temperature=2", defaults=script)) == 1


def test_a_script_s_default_gives_way_to_a_file(tmp_path: Path) -> None:
    given = flags.parse_arguments(NEEDED, SCRIPT_DEFAULTS)
    assert given.tree["loss"] == {"temperature": "4.0"}
    flags.add_file(given, {"loss": {"temperature": 2, "hard_label_weight": 0.1}})
    assert given.tree["loss"] == {"temperature": 2, "hard_label_weight": 0.1}
    assert given.tree["task_id"] == "t"
    typed = flags.parse_arguments([*NEEDED, "--temperature", "7"], SCRIPT_DEFAULTS)
    flags.add_file(typed, {"loss": {"temperature": 2}})
    assert typed.tree["loss"] == {"temperature": "7"}


def test_the_temperature_is_the_contract_s_in_its_scripts_and_else_by_the_classes() -> None:
    assert spec().loss.temperature == "auto"
    assert spec(defaults=dict(SCRIPT_DEFAULTS)).loss.temperature == 4.0
    assert spec("--temperature", "4").loss.temperature == 4.0


@pytest.mark.parametrize(
    ("words", "weight"),
    [
        ("", 1.0),
        ("--soft_label_weight 0.9", 1.0),
        ("--distillation_type feature", 0.5),
        ("--distillation_type feature --soft_label_weight 0.9", 0.9),
        ("--distillation_type feature --set loss.alpha=0.7", 0.7),
        ("--distillation_type feature --soft_label_weight 0.9 --feature_weight 1", 1.0),
    ],
)
def test_without_soft_labels_their_weight_is_the_features(words: str, weight: float) -> None:
    assert spec(*words.split()).loss.feature_weight == weight


def test_the_text_script_has_three_other_defaults_and_a_rank() -> None:
    found = spec(defaults=dict(TEXT_SCRIPT_DEFAULTS))
    assert found.loss.temperature == 3.0
    assert (found.loss.hard_label_weight, found.loss.soft_label_weight) == (0.3, 0.7)
    assert found.lora.rank == 16
    assert spec("--lora_rank", "0", defaults=dict(TEXT_SCRIPT_DEFAULTS)).lora.rank == 0


# The contract's recommended settings (shared/contract/examples.md).
RESNET = (
    "--student_model_type resnet --student_model_size resnet50 --task_type classification "
    "--num_classes 10 --image_size 224 --batch_size 32 --learning_rate 1e-4 "
    "--distillation_type hybrid --feature_loss_type cosine"
)
VIT = (
    "--student_model_type vit --student_model_size vit-base --task_type classification "
    "--num_classes 100 --image_size 224 --batch_size 64 --learning_rate 5e-5 "
    "--distillation_type hybrid --align_feature True"
)


YOLO = (
    "--student_model_type yolov8 --student_model_size s --task_type detection --num_classes 80 "
    "--image_size 640 --batch_size 16 --learning_rate 1e-3 --optimizer sgd "
    "--distillation_type feature --feature_loss_type mse"
)
UNET = (
    "--student_model_type unet --student_model_size medium --task_type segmentation "
    "--num_classes 21 --image_size 512 --batch_size 8 --learning_rate 1e-4 "
    "--distillation_type feature --feature_loss_type mse"
)
LSTM = (
    "--student_model_type lstm --student_model_size medium --task_type classification "
    "--num_classes 10 --image_size 224 --batch_size 32 --learning_rate 1e-4 "
    "--distillation_type feature --feature_loss_type cosine"
)


def test_the_five_recommended_settings() -> None:
    resnet, vit = spec(*RESNET.split()), spec(*VIT.split())
    assert (resnet.student.type, resnet.student.size) == ("resnet", "resnet50")
    assert resnet.loss.feature_loss == "cosine"
    assert (vit.student.size, vit.data.num_classes) == ("vit-base", 100)
    yolo, unet, lstm = spec(*YOLO.split()), spec(*UNET.split()), spec(*LSTM.split())
    assert (yolo.student.size, yolo.kind, yolo.optim.optimizer) == ("yolov8s", "detection", "sgd")
    assert (yolo.data.image_size, yolo.optim.batch_size) == (640, 16)
    assert (unet.student.size, unet.kind, unet.data.image_size) == (
        "unet-medium", "segmentation", 512,
    )  # fmt: skip
    assert unet.loss.distillation_type == "feature"
    assert (lstm.student.size, lstm.kind) == ("lstm-medium", "classification")
    with pytest.raises(StudentError, match="does not learn"):
        spec(*["--student_model_type", "yolov8", "--task_type", "classification"])


@pytest.mark.parametrize("words", [["--epochs", "0"], ["--learning_rate", "-1e-4"],
                                   ["--learning_rate", "nan"], ["--gpu_devices", "one"],
                                   ["--align_feature", "Tru"]])  # fmt: skip
def test_a_bad_value_is_told_by_its_flag(words: list[str]) -> None:
    with pytest.raises(SpecError, match=words[0]) as caught:
        spec(*words)
    assert "Got: " in str(caught.value)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--epoch", "3"], "There is no flag --epoch; did you mean --epochs?"),
        (["--batch-siz=3"], "did you mean --batch_size?"),
        (["--epochs"], "The flag --epochs needs a value."),
        (["--epochs", "--seed", "1"], "The flag --epochs needs a value."),
        (["spec.yaml", "other.yaml"], "The argument other.yaml is not understood."),
        (["--set", "optim.epochs"], "--set wants section.field=value."),
        (["--set", "optim.epoch=3"], "optim.epoch is not a known setting; did you mean"),
        (["--student_model", "resnet19"], "There is no student of size 'resnet19'"),
        (["--student_model_type", "resnet", "--student_model_size", "19"], "has no size '19'"),
        (
            ["--student_model", "resnet50", "--student_model_size", "resnet18"],
            "--student_model resnet50 and the student's type and size (resnet, resnet18) disagree",
        ),
        (["--task_type", "detection", "--student_model", "resnet18"], "does not learn detection"),
    ],
)
def test_a_bad_line_is_one_sentence(words: list[str], says: str) -> None:
    with pytest.raises(TandemError) as caught:
        spec(*words)
    assert says in str(caught.value)
    assert caught.value.exit_code == 2


def test_an_empty_value_is_none_at_all() -> None:
    found = spec("--val_dataset_id", "", "--api_base_url=", "--lora_target_modules", "")
    assert found.data.val_dataset is None
    assert found.report.api_base_url is None
    assert found.lora.target_modules == []


def test_a_switch_may_stand_alone() -> None:
    assert spec("--baseline").report.baseline is True


def test_what_is_missing_is_named() -> None:
    given = flags.parse_arguments(["--task_id", "t"])
    with pytest.raises(SpecError) as caught:
        flags.require(given, [f for f in flags.FLAGS if f.required])
    for name in ("--student_model", "--dataset_id", "--output_dir", "--teacher_model"):
        assert name in str(caught.value)
    assert "--task_id" not in str(caught.value)


def test_no_teacher_is_needed_without_distillation() -> None:
    flags.require(flags.parse_arguments(["--training_mode", "direct"]), [])
