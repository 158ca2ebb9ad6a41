"""Attention over packed windows in few calls.

Without flash-attn, transformers loops over a tower's windows in Python: 16 images of 224 pixels
are 64 calls a block. Windows of the same length are one batch here.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

# transformers passes the windows' boundaries on only to implementations with `flash` in their name.
NAME = "flash_packed_sdpa"
FLASH_ATTENTION = "flash_attention_2"


def choose(module: nn.Module, device: torch.device, dtype: torch.dtype) -> None:
    """flash-attn where it is installed and can be used, else SDPA over packed windows."""
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
    from transformers.utils.import_utils import is_flash_attn_2_available

    half = dtype in (torch.float16, torch.bfloat16)
    if device.type == "cuda" and half and is_flash_attn_2_available():
        module.set_attn_implementation(FLASH_ATTENTION)  # type: ignore[operator]
        return
    ALL_ATTENTION_FUNCTIONS.register(NAME, packed_attention)
    setattr(module.config, "_attn_implementation", NAME)  # noqa: B010


def packed_attention(
    module: nn.Module,  # noqa: ARG001
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,  # noqa: ARG001
    scaling: float | None = None,
    cu_seq_lens_q: Tensor | None = None,
    **unused: object,  # noqa: ARG001
) -> tuple[Tensor, None]:
    """`query`, `key`, `value` are (1, heads, L, D); the answer is (1, L, heads, D)."""
    assert cu_seq_lens_q is not None
    bounds = cu_seq_lens_q.tolist()
    lengths = tuple(b - a for a, b in zip(bounds, bounds[1:], strict=False))
    _, heads, L, D = query.shape
    if len(set(lengths)) == 1:
        q, k, v = (_windows(x[0], lengths[0]) for x in (query, key, value))
        out = scaled_dot_product_attention(q, k, v, scale=scaling)
        return out.transpose(1, 2).reshape(1, L, heads, D), None
    result = query.new_empty(L, heads, D)
    for length, rows in _groups(lengths, query.device):
        q, k, v = (_windows(x[0][:, rows], length) for x in (query, key, value))
        out = scaled_dot_product_attention(q, k, v, scale=scaling)
        result = result.index_copy(0, rows, out.transpose(1, 2).reshape(-1, heads, D))
    return result[None], None


def _windows(x_hLD: Tensor, length: int) -> Tensor:
    """(heads, L, D) to (windows, heads, length, D)."""
    heads, L, D = x_hLD.shape
    return x_hLD.reshape(heads, L // length, length, D).transpose(0, 1)


@lru_cache(maxsize=32)
def _groups(lengths: tuple[int, ...], device: torch.device) -> list[tuple[int, Tensor]]:
    """For each length: the rows of all windows that long, one window after the other."""
    starts = torch.tensor((0, *lengths)).cumsum(0)[:-1]
    all_lengths = torch.tensor(lengths)
    groups = []
    for length in sorted(set(lengths)):
        first = starts[all_lengths == length]
        rows = (first[:, None] + torch.arange(length)).reshape(-1)
        groups.append((length, rows.to(device)))
    return groups
