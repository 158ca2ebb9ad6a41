"""What a loss term is in a run: its role, by which reports and histories add the terms up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal, get_args

from tandem.spec.plugins.catalog import PluginName

LossRole = Literal["hard", "soft", "feature", "attention", "relation", "intermediate"]
"""hard: on labels; soft: on the teacher's class scores; feature: on its dense features."""
ROLES: Final[tuple[LossRole, ...]] = get_args(LossRole)

SoftLoss = Annotated[str, PluginName("losses", "soft", first="kl_div")]
"""The name of a loss on soft labels: `loss.soft_loss`."""
FeatureLoss = Annotated[str, PluginName("losses", "feature", first="mse")]
"""The name of a loss on dense features, without its `feature_`: `loss.feature_loss`."""

_BEFORE_ROLES: Final[dict[str, LossRole]] = {
    **dict.fromkeys(("hard", "cross_entropy", "cross_entropy_dice", "box", "cls", "dfl"), "hard"),
    **dict.fromkeys(("soft", "kl_div", "mse", "cosine", "dkd", "standardised"), "soft"),
}
"""The roles of the terms that journals name which were written before an event said them. Frozen:
a new loss says its role itself."""


def role_of(term: str, roles: Mapping[str, str]) -> str | None:
    """The role of an epoch's term, as the event says it; None where nobody said one."""
    return roles.get(term) or _BEFORE_ROLES.get(term)
