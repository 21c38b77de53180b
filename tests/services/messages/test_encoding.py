"""JSON is encoded the short way where it can be, and what is refused is refused on either way."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatledger import InvalidInput
from chatledger.dialects import encoding

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner) | st.tuples(inner),
    max_leaves=20,
)


@settings(max_examples=100)
@given(VALUES)
def test_both_ways_give_the_same_text(value: Any) -> None:
    expected = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    assert expected == encoding.encode_json(value, "value")


@pytest.mark.parametrize("quick", [True, False])
@pytest.mark.parametrize(
    "value",
    [
        {"a": [float("nan")]}, [float("inf")], {1: "x"}, {"a": {None: 1}}, [{1, 2}], {"a": b"x"}, [10**4000],
        {"a": ["\x00"]}, {"\x00": 1}, ["\ud800"], {"a": {"b": object()}},
    ],
)  # fmt: skip
def test_what_json_cannot_keep_is_refused(value: Any, quick: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not quick:
        monkeypatch.setattr(encoding, "_pieces", None)
    with pytest.raises(InvalidInput) as caught:
        encoding.encode_json(value, "value")
    assert "value" == caught.value.field
