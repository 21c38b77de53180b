"""The words that a type checker accepts for an enum are the values of the enum."""

from enum import StrEnum
from typing import get_args

import pytest

from chatledger import enums
from chatledger.services.statistics.filters import ByLike

ALIASES = {name: alias for name, alias in vars(enums).items() if name.endswith("Like")} | {"ByLike": ByLike}


@pytest.mark.parametrize("name", sorted(ALIASES))
def test_an_alias_lists_every_value_of_its_enum(name: str) -> None:
    enum, words = get_args(ALIASES[name])
    assert issubclass(enum, StrEnum)
    assert name == f"{enum.__name__}Like"
    assert [member.value for member in enum] == list(get_args(words))
