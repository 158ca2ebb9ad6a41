"""What a finished model's `config.json` says: enough to build it again, with no other file."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from tandem.spec.run import KindName, StudentSpec

FORMAT: Final = "tandem-model-1"
Three = Annotated[list[float], Field(min_length=3, max_length=3)]


def _distinct(names: list[str]) -> list[str]:
    if len(set(names)) != len(names):
        raise ValueError("a class comes twice")
    return names


class ModelConfig(BaseModel):
    """Written by us, but read from anywhere: every field is checked."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    format: Literal["tandem-model-1"] = FORMAT
    tandem_version: Annotated[str, Field(max_length=50)]
    kind: KindName
    student: StudentSpec
    """`init` and `path` are not read again: the weights lie beside this file."""
    facts: dict[str, int | str] = Field(default_factory=dict)
    """What building it decided (patch size, stem); rebuilding must decide the same."""
    classes: Annotated[
        list[Annotated[str, Field(max_length=500)]],
        Field(min_length=1, max_length=100_000),
        AfterValidator(_distinct),
    ]
    image_size: Annotated[int, Field(ge=16, le=2048)]
    """Pixels a side; the whole picture is resized to it."""
    mean: Three
    std: Three
    """With `mean`, the normalisation inside the model; a caller gives images of 0 to 1."""
    temperature: Annotated[float, Field(gt=0)] = 1.0
    """Logits are divided by it before the softmax that gives the confidence."""
    thresholds: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(default_factory=dict)
    """A detector's confidence by class at which F1 was best on the validation set."""

    @model_validator(mode="after")
    def _enough_classes(self) -> ModelConfig:
        """A detector may look for one thing; to classify takes two."""
        if len(self.classes) < 2 and self.kind != "detection":
            raise ValueError("classes: two or more are needed")
        return self
