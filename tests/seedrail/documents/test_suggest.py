"""Did you mean: the nearest known key, in the model where the unknown one stands, as documents spell it."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from seedrail.documents.faults import explain
from seedrail.documents.suggest import nearest_key


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Cat(Strict):
    kind: Literal["cat"]
    claw_length: int = Field(alias="clawLength", default=1)


class Dog(Strict):
    kind: Literal["dog"]
    bark_volume: int = Field(alias="barkVolume", default=1)


class Shop(Strict):
    pet: Annotated[Cat | Dog, Field(discriminator="kind")] | None = None
    guess: Cat | Dog | None = None
    pets: list[Cat] = []
    by_name: dict[str, Dog] = Field(alias="byName", default={})
    grid: str = Field(validation_alias=AliasChoices("gridName", "grid_label"), default="")


def told(**values: Any) -> set[str]:
    """What is said of a shop, whose keys are all known but one."""
    with pytest.raises(ValidationError) as caught:
        Shop.model_validate(values)
    return {explain(problem, values, 0, Shop)[1] for problem in caught.value.errors()}


@pytest.mark.parametrize(
    ("values", "known"),
    [
        ({"grid_name": ""}, "gridName"),
        ({"gridLabel": ""}, "grid_label"),
        ({"by-name": {}}, "byName"),
        ({"pet": {"kind": "dog", "bark_volume": 1}}, "barkVolume"),
        ({"pets": [{"kind": "cat"}, {"kind": "cat", "clawLenght": 1}]}, "clawLength"),
        ({"byName": {"rex": {"kind": "dog", "barkvolume": 1}}}, "barkVolume"),
    ],
)
def test_the_nearest_key_is_of_the_model_where_the_unknown_one_stands(values: dict, known: str) -> None:
    assert told(**values) == {f"unknown key; did you mean {known!r}?"}


def test_each_branch_of_a_union_is_thought_of() -> None:
    assert "unknown key; did you mean 'clawLength'?" in told(guess={"kind": "cat", "claw_length": 1})


@pytest.mark.parametrize("key", ["colour", "", "x", "kind", "\x1b"])
def test_nothing_is_suggested_where_nothing_is_near(key: str) -> None:
    assert told(**{key: 1}) == {"unknown key"}


def test_a_key_of_a_million_characters_is_compared_with_none() -> None:
    assert nearest_key(Shop, ("g" * 1_000_000,)) is None
