"""Which numbers a teacher's weights are kept in: floats, or int8 and int4 by bitsandbytes.

int8 is LLM.int8() (Dettmers et al. 2022), int4 is nf4 with double quantisation (QLoRA, Dettmers et
al. 2023). Both take the linear layers of the blocks, of the vision tower and of the language model
alike; embeddings, norms, mergers and heads stay as they are. Four bits cost a vision tower more
than a language model: the teacher's measured accuracy in the report tells how much.
"""

from __future__ import annotations

import importlib.util
import logging
import re
from typing import TYPE_CHECKING

import torch
from torch import nn

from tandem.spec.errors import DeviceError, MissingExtraError

if TYPE_CHECKING:
    from transformers import BitsAndBytesConfig

QUANTIZED = ("int8", "int4")
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
# With the full prefix: a bare `visual` matches nothing, and all of the tower would be quantised.
KEPT_WHOLE = (
    "model.visual.patch_embed",
    "model.visual.merger",
    "model.visual.deepstack_merger_list",
    "lm_head",
)
INT4_BLOCK, INT4_ROWS = 64, 32
BLOCK = re.compile(r"\.(blocks|layers?)\.\d+\.")


def has_bf16(device: torch.device) -> bool:
    """True on a CPU, and on a GPU whose hardware has it (compute capability 8.0 and above).

    T4, V100 and RTX 20 only emulate it: cuDNN has no such convolutions for them, and the rest is
    slower than fp32.
    """
    # torch asks the current device, which every process of a run sets before all else.
    return device.type != "cuda" or torch.cuda.is_bf16_supported(including_emulation=False)


def resolve_precision(asked: str, device: torch.device) -> str:
    """`auto` decided, the rest checked. DeviceError or MissingExtraError where it cannot be."""
    on_gpu = device.type == "cuda"
    if asked == "auto":
        return "bf16" if on_gpu and has_bf16(device) else "fp32"
    if asked == "bf16" and not has_bf16(device):
        raise DeviceError(
            "This GPU has no bf16.",
            allowed=["auto", "fp32", "fp16"],
            fix="Use teacher.precision auto.",
        )
    if asked == "fp16" and not on_gpu:
        raise DeviceError(
            "A teacher in fp16 needs a GPU; this run is on the CPU.",
            allowed=["auto", "fp32", "bf16", *QUANTIZED],
            fix="Use teacher.precision auto.",
        )
    if asked in QUANTIZED:
        _check_quantizer(asked, device)
    return asked


def compute_dtype(precision: str, device: torch.device) -> torch.dtype:
    """What the layers that are not quantised, and the activations, are in."""
    if precision in DTYPES:
        return DTYPES[precision]
    return torch.bfloat16 if device.type == "cuda" and has_bf16(device) else torch.float32


def quantize_linear(module: nn.Module, precision: str, dtype: torch.dtype) -> None:
    """Replace the linear layers of the blocks, in place; they shrink on the next `.to(device)`."""
    if precision not in QUANTIZED:
        return
    hush()
    make = _make_int8 if precision == "int8" else _make_int4
    kept = _too_odd(module) if precision == "int4" else []
    for name, child in list(module.named_modules()):
        if isinstance(child, nn.Linear) and BLOCK.search(f".{name}") and name not in kept:
            parent = module.get_submodule(name.rpartition(".")[0])
            setattr(parent, name.rpartition(".")[2], make(child, dtype))
    # What PEFT asks a model for before it adapts such layers.
    setattr(module, f"is_loaded_in_{8 if precision == 'int8' else 4}bit", True)


def quantization_config(
    precision: str, dtype: torch.dtype, skeleton: nn.Module
) -> BitsAndBytesConfig:
    """What transformers' `from_pretrained` is given; `skeleton` is the model on the meta device."""
    hush()
    from transformers import BitsAndBytesConfig

    if precision == "int8":
        return BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=list(KEPT_WHOLE))
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
        llm_int8_skip_modules=[*KEPT_WHOLE, *_too_odd(skeleton)],
    )


def _too_odd(module: nn.Module) -> list[str]:
    """Layers that int4 leaves whole: bitsandbytes' CPU kernels want blocks of 64 in rows of 32.

    In the 7B release's tower these are the `down_proj`s, 3,420 wide.
    """
    return [
        name
        for name, child in module.named_modules()
        if isinstance(child, nn.Linear)
        and (child.in_features % INT4_BLOCK or child.out_features % INT4_ROWS)
    ]


def hush() -> None:
    """bitsandbytes' remarks on casts in every call and on kernels it could fetch."""
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)


def _check_quantizer(asked: str, device: torch.device) -> None:
    if device.type not in ("cpu", "cuda"):
        raise DeviceError(
            "A teacher in {precision} needs a CPU or an NVIDIA GPU; this is {device}.",
            precision=asked,
            device=device.type,
            allowed=["auto", "fp32"],
            fix="Use teacher.precision auto.",
        )
    if importlib.util.find_spec("bitsandbytes") is None:
        raise MissingExtraError(
            "A teacher in {precision} needs bitsandbytes, which is not installed.",
            precision=asked,
            fix="pip install 'tandem-distill[quant]', or use teacher.precision bf16.",
        )


def _make_int4(linear: nn.Linear, dtype: torch.dtype) -> nn.Module:
    from bitsandbytes.nn import modules as bnb

    made = bnb.Linear4bit(  # type: ignore[no-untyped-call]
        linear.in_features,
        linear.out_features,
        linear.bias is not None,
        compute_dtype=dtype,
        quant_type="nf4",
        compress_statistics=True,
        device="meta",
    )
    made.weight = bnb.Params4bit(
        linear.weight.data.cpu(),
        requires_grad=False,
        quant_type="nf4",
        compress_statistics=True,
        module=made,
    )
    return _with_bias(made, linear)


def _make_int8(linear: nn.Linear, dtype: torch.dtype) -> nn.Module:  # noqa: ARG001
    from bitsandbytes.nn import modules as bnb

    made = bnb.Linear8bitLt(
        linear.in_features,
        linear.out_features,
        linear.bias is not None,
        has_fp16_weights=False,
        threshold=6.0,
        device="meta",
    )
    made.weight = bnb.Int8Params(
        linear.weight.data.cpu(), requires_grad=False, has_fp16_weights=False
    )
    return _with_bias(made, linear)


def _with_bias(made: nn.Module, linear: nn.Linear) -> nn.Module:
    if linear.bias is not None:
        made.bias = nn.Parameter(linear.bias.data, requires_grad=False)
    return made
