"""A recipe of views fills in what is not given, and a wrong value is refused in one sentence."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tandem.spec.run import ViewSpec


def test_a_recipe_gives_way_to_what_is_given_and_survives_being_written() -> None:
    plain, photographs = ViewSpec(), ViewSpec(recipe="photographs")
    assert photographs.crop_scale_min == 0.14
    assert photographs.grey > plain.grey == 0
    own = ViewSpec(recipe="photographs", crop_scale_min=0.5, grey=0)
    assert (own.crop_scale_min, own.grey, own.colour) == (0.5, 0, photographs.colour)
    for one in (plain, photographs, own):
        assert ViewSpec.model_validate_json(one.model_dump_json()) == one
    assert ViewSpec(recipe="characters").flip == "off"


@pytest.mark.parametrize(
    "wrong",
    [{"recipe": "paintings"}, {"randaugment": 11}, {"grey": 1.5}, {"blur": -1}, {"erasing": 2}],
)
def test_wrong_values_are_refused(wrong: dict) -> None:
    with pytest.raises(ValidationError) as error:
        ViewSpec(**wrong)
    assert error.value.error_count() == 1
