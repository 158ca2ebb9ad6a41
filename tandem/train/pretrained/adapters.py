"""Low-rank adapters (Hu et al. 2021) on a loaded model: where they go, and how they are kept."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors.torch import save_file
from torch import Tensor, nn

from tandem.spec.errors import TeacherError
from tandem.spec.run import LoraSpec
from tandem.train.pretrained.lora_roles import find_layers, roles_in
from tandem.train.pretrained.quantize import hush

if TYPE_CHECKING:
    from peft import PeftModel

BLOCK = re.compile(r"\.(?:blocks|layers?|albert_layer_groups)\.(\d+)\.")
ALL_LINEAR = "all-linear"
FILES = ("adapter_config.json", "adapter_model.safetensors")


@dataclass(frozen=True)
class Adapter:
    """What a PEFT folder holds."""

    config: dict[str, object]
    weights: dict[str, Tensor]

    def save(self, folder: Path) -> None:
        """Write both files."""
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.config, indent=1, sort_keys=True)
        (folder / FILES[0]).write_text(text, encoding="utf-8")
        save_file(self.weights, folder / FILES[1])


def choose_targets(
    model: nn.Module,
    lora: LoraSpec,
    defaults: Sequence[Sequence[str]],
    say: Callable[[str], None],
) -> list[str]:
    """Full names of the linear layers to adapt.

    `lora.target_modules` are last names such as `q_proj`, ends of full names such as
    `attn.proj`, or `all-linear`; when empty, the first of `defaults` that exists. A name that the
    model has another for (`q_proj` where it says `query`) means that layer, and `say` tells so.
    TeacherError lists what could be targeted when one does not exist.
    """
    linear = linear_names(model)
    wanted = list(lora.target_modules)
    if not wanted:
        wanted = list(next((d for d in defaults if _matching(linear, d)), defaults[0]))
    found = find_layers(linear, wanted, lambda names, one: _matching(names, [one]))
    if found.absent:
        last_names = sorted({name.rpartition(".")[2] for name in linear})
        raise TeacherError(
            "The teacher has no layer {absent} for LoRA to adapt.",
            absent=", ".join(found.absent),
            allowed=dict.fromkeys([*roles_in(linear), *last_names, ALL_LINEAR]),
            fix="Change lora.target_modules, or leave it out.",
        )
    found.tell(say)
    return _in_layers(found.names, lora.layers)


def linear_names(model: nn.Module) -> list[str]:
    """The full name of every layer that can be adapted."""
    return [name for name, module in model.named_modules() if _can_be_adapted(name, module)]


def attach(model: nn.Module, lora: LoraSpec, targets: list[str]) -> PeftModel:
    """The same model with fresh adapters, which alone (and biases, if asked) are trained."""
    hush()
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,  # type: ignore[arg-type]
        lora_dropout=lora.dropout,
        target_modules=targets,
        bias=lora.bias,
    )
    with _quiet_peft():
        adapted: PeftModel = get_peft_model(model, config)  # type: ignore[arg-type,assignment]
    return adapted


def load_adapter(model: nn.Module, folder: Path) -> nn.Module:
    """The model with the adapters of a PEFT folder in it, frozen; it keeps its own class."""
    hush()
    from peft import PeftModel

    with _quiet_peft():
        adapted = PeftModel.from_pretrained(model, str(folder))  # type: ignore[arg-type]
    inner: nn.Module = adapted.get_base_model()
    return inner.eval().requires_grad_(False)


@contextmanager
def _quiet_peft() -> Iterator[None]:
    """PEFT 0.21 reads a property of transformers 5.23 by its old name."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is", FutureWarning)
        yield


def digest(folder: Path, *more: str) -> str:
    """A word for the adapter's files, and for `more` files beside them."""
    found = blake2b(digest_size=32)
    for name in (*FILES, *more):
        found.update((folder / name).read_bytes())
    return found.hexdigest()


def _can_be_adapted(name: str, module: nn.Module) -> bool:
    return isinstance(module, nn.Linear) and BLOCK.search(f".{name}.") is not None


def _matching(names: list[str], wanted: Sequence[str]) -> list[str]:
    if ALL_LINEAR in wanted:
        return names
    return [n for n in names if any(n == w or n.endswith(f".{w}") for w in wanted)]


def _in_layers(names: list[str], layers: str) -> list[str]:
    """Those of the layers asked for: `all`, one number, or a range such as `0-11`."""
    if layers.strip().lower() == "all":
        return names
    numbers = {name: _layer(name) for name in names}
    last = max(numbers.values())
    found = re.fullmatch(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?", layers)
    first_layer, last_layer = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
    if first_layer > last_layer or last_layer > last:
        raise TeacherError(
            "lora.layers names layers that the teacher's adapted part does not have.",
            got=layers,
            allowed=["all", f"0-{last}", "0"],
            fix="Change lora.layers, or leave it out.",
        )
    return [name for name, number in numbers.items() if first_layer <= number <= last_layer]


def _layer(name: str) -> int:
    found = BLOCK.search(f".{name}.")
    assert found is not None
    return int(found[1])
