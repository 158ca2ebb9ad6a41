"""What a layer does in a transformer's block, by the many names that models have for it.

Installed systems write LoRA's targets in the names of one family (`q_proj`, `v_proj`); another
calls the same layers `query` and `value`, `q_lin` and `v_lin`, or has them in one, `qkv`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tandem.spec.i18n import t

ROLES = {
    "q_proj": r"q_proj|query|q_lin|query_proj|SelfAttention\.q",
    "k_proj": r"k_proj|key|k_lin|key_proj|SelfAttention\.k",
    "v_proj": r"v_proj|value|v_lin|value_proj|SelfAttention\.v",
    "o_proj": r"o_proj|out_proj|out_lin|attention\.output\.dense|attention\.dense|attn\.proj"
    r"|attn\.Wo|SelfAttention\.o",
    "gate_proj": r"gate_proj|DenseReluDense\.wi_0",
    "up_proj": r"up_proj|fc1|linear_fc1|intermediate\.dense|lin1|mlp\.Wi|pwconv1|ffn"
    r"|DenseReluDense\.wi(?:_1)?",
    "down_proj": r"down_proj|fc2|linear_fc2|(?<!attention\.)output\.dense|lin2|mlp\.Wo|pwconv2"
    r"|ffn_output|DenseReluDense\.wo",
}
"""A role is called as Llama calls its layer; the pattern is the end of a layer's full name."""
FUSED = "qkv"
"""Query, key and value in one layer."""
_PARTS = ("q_proj", "k_proj", "v_proj")
_PATTERNS = {role: re.compile(rf"(?:^|\.)({names})$") for role, names in ROLES.items()}
_FUSED = re.compile(r"(?:^|\.)(qkv|Wqkv|qkv_proj|query_key_value)$")


@dataclass
class FoundLayers:
    """The layers that the wanted names come to."""

    names: list[str] = field(default_factory=list)
    """Full names, in the model's order, each once."""
    pairs: dict[str, list[str]] = field(default_factory=dict)
    """Wanted names that the model has other names for, and those."""
    absent: list[str] = field(default_factory=list)
    """Wanted names that are neither a layer nor a role that the model has."""
    without: list[str] = field(default_factory=list)
    """Roles that a model may well lack: one whose MLP has no gate."""

    def tell(self, say: Callable[[str], None]) -> None:
        """Say which layers stand in for those that were named."""
        if self.pairs:
            shown = [f"{one} → {' + '.join(others)}" for one, others in self.pairs.items()]
            say(t("LoRA's layers by this model's own names: {pairs}.", pairs=", ".join(shown)))
        if self.without:
            left = ", ".join(self.without)
            say(t("This model has no {names}, so LoRA adapts none.", names=left))


def find_layers(
    layers: list[str], wanted: Sequence[str], matching: Callable[[list[str], str], list[str]]
) -> FoundLayers:
    """Look for each wanted name as it is written (`matching`), then by the role it stands for."""
    found, chosen = FoundLayers(), set[str]()
    for name in wanted:
        exact = matching(layers, name)
        if exact:
            chosen.update(exact)
            continue
        by_role = _by_role(layers, name)
        if by_role:
            chosen.update(layer for layer, _ in by_role)
            found.pairs[name] = list(dict.fromkeys(own for _, own in by_role))
        elif role_of(name) == "gate_proj":
            found.without.append(name)
        else:
            found.absent.append(name)
    found.names = [layer for layer in layers if layer in chosen]
    if not found.names:
        found.absent, found.without = found.absent + found.without, []
    return found


def role_of(name: str) -> str | None:
    """The role that a layer of this name has in some family; `qkv` for the three in one."""
    if _FUSED.search(name):
        return FUSED
    return next((role for role, pattern in _PATTERNS.items() if pattern.search(name)), None)


def roles_in(layers: Sequence[str]) -> list[str]:
    """The roles that a model's layers fill."""
    roles = {role_of(layer) for layer in layers}
    if FUSED in roles:
        roles |= set(_PARTS)
    return [role for role in ROLES if role in roles]


def _by_role(layers: list[str], name: str) -> list[tuple[str, str]]:
    """Each layer of the role, and what it is called in its block."""
    role = role_of(name)
    if role is None:
        return []
    patterns = [_PATTERNS[one] for one in (_PARTS if role == FUSED else (role,))]
    own = _ends(layers, patterns)
    return own or (_ends(layers, [_FUSED]) if role in _PARTS else [])


def _ends(layers: list[str], patterns: Sequence[re.Pattern[str]]) -> list[tuple[str, str]]:
    found = ((layer, pattern.search(layer)) for layer in layers for pattern in patterns)
    return [(layer, match[1]) for layer, match in found if match is not None]
