"""BERT in its small sizes (Devlin et al. 2019; Turc et al. 2019), through transformers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tandem.spec.plugins.students import resolve
from tandem.spec.run import StudentSpec
from tandem.train.registry import register
from tandem.train.students._dual_head import DualHead
from tandem.train.students._initialize import draw, load_pretrained
from tandem.train.students._options import DUAL_HEAD, options_from_spec
from tandem.train.types import StepOutput, Student

SHAPES = {
    "bert-mini": (4, 256, 4),
    "bert-small": (4, 512, 8),
    "bert-medium": (8, 512, 8),
    "bert-base": (12, 768, 12),
}
"""Layers, width and heads."""
POSITIONS = 512
WORDS = 30_522
"""Words of the tokenizer it was published with, where nobody says another number."""
SIZES = {"bert-mini": 11.2, "bert-small": 28.8, "bert-medium": 41.4, "bert-base": 109.5}
"""Millions of parameters with 30,522 words."""
ACTIVATIONS = {
    "bert-mini": 25_400.0,
    "bert-small": 50_700.0,
    "bert-medium": 99_900.0,
    "bert-base": 223_500.0,
}
"""Numbers that a token leaves for the backward pass."""


class BertStudent(Student):
    """`tokens_BHWD` has a row for each token and one column; padding is zero."""

    mean: Sequence[float] = (0.0, 0.0, 0.0)
    std: Sequence[float] = (1.0, 1.0, 1.0)

    def __init__(self, spec: StudentSpec, size: str, num_classes: int) -> None:
        super().__init__()
        from transformers import BertConfig, BertModel

        layers, width, heads = SHAPES[size]
        config = BertConfig(
            vocab_size=spec.vocab_size or WORDS,
            hidden_size=width,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            intermediate_size=4 * width,
            max_position_embeddings=max(POSITIONS, spec.max_tokens),
        )
        self.net = BertModel(config, add_pooling_layer=False)
        self.dropout = nn.Dropout(spec.dropout)
        self.classifier = nn.Linear(width, num_classes)
        self.dual_head = DualHead(width, num_classes, spec) if spec.dual_head else None
        self.num_classes, self.image_size = num_classes, 16
        self.pooled_width = self.tokens_width = width
        self.tokens_grid = spec.max_tokens
        self.layer_widths = [width] * layers
        self.notes: tuple[str, ...] = ()

    def forward(self, images_BCHW: Tensor, layers: Sequence[int] = ()) -> StepOutput:
        """(B, 3, L) int64: token ids, attention mask, token types; layers are counted from 0."""
        self.check_layers(layers)
        length = images_BCHW.shape[2]
        ids_BL, mask_BL, types_BL = self._shortened(images_BCHW).unbind(1)
        answer = self.net(
            input_ids=ids_BL,
            attention_mask=mask_BL,
            token_type_ids=types_BL,
            output_hidden_states=bool(layers),
        )
        pooled_BD = answer.last_hidden_state[:, 0]

        def words(hidden_BLD: Tensor) -> Tensor:
            known_BLD = hidden_BLD * mask_BL[..., None]
            return F.pad(known_BLD, (0, 0, 0, length - known_BLD.shape[1]))[:, :, None]

        taps = tuple(words(answer.hidden_states[one + 1]) for one in layers)
        tokens_BHWD = words(answer.last_hidden_state)
        features_BD = self.dropout(pooled_BD)
        logits_BK = self.classifier(features_BD)
        if self.dual_head is None:
            return StepOutput(logits_BK, pooled_BD, tokens_BHWD, taps)
        logits_BK, taught_BK = self.dual_head(features_BD, logits_BK)
        return StepOutput(logits_BK, pooled_BD, tokens_BHWD, taps, taught_BK=taught_BK)

    def example(self, count: int) -> Tensor:
        """Texts of full length."""
        length = self.tokens_grid
        words = int(self.net.config.vocab_size)
        ids_BL = torch.arange(count * length).reshape(count, length) % words
        return torch.stack([ids_BL, torch.ones_like(ids_BL), torch.zeros_like(ids_BL)], 1)

    def _shortened(self, ids_B3L: Tensor) -> Tensor:
        """Without the columns that are padding in every row."""
        if torch.compiler.is_exporting():
            return ids_B3L
        longest = int(ids_B3L[:, 1].sum(1).max())
        return ids_B3L[:, :, : max(1, longest)]


@register.student(
    "bert",
    kinds={"text"},
    gives={"logits", "pooled", "tokens", "layers"},
    options=options_from_spec(
        "BertOptions",
        "init",
        "path",
        "dropout",
        "max_tokens",
        *DUAL_HEAD,
        sizes=SIZES,
        default_size="bert-small",
        descriptions={"path": "Weights for `pretrained`: a folder with them."},
    ),
    sizes=SIZES,
    activations=ACTIVATIONS,
    default_size="bert-small",
    defaults={"optim.learning_rate": 5e-5, "optim.optimizer": "adamw", "optim.epochs": 10},
    licence="Apache-2.0",
    source="https://arxiv.org/abs/1908.08962, transformers",
    zh="BERT：用于文本；双向阅读，小规格在 CPU 上也很快。",
)
def build(spec: StudentSpec, num_classes: int, image_size: int) -> BertStudent:  # noqa: ARG001
    """BERT: texts; reads both ways, and its small sizes are quick on a CPU."""
    _, size = resolve("bert", spec.size)
    student = BertStudent(spec, size, num_classes)
    if spec.init in ("kaiming", "xavier"):
        draw(student, spec.init)
    elif spec.init == "pretrained":
        load_pretrained(student, spec, encoder="net.", foreign="bert.")
    return student
