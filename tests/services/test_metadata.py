"""Metadata: JSON values under keys, per session."""

from __future__ import annotations

from typing import Any

import pytest

from chatledger import InvalidInput, Ledger, MetadataNotFound, SessionNotFound
from tests.support.clock import StoppedClock
from tests.support.once import ONCE
from tests.support.raw import Raw


@pytest.fixture(autouse=True)
def session(request: pytest.FixtureRequest) -> None:
    any_ledger = request.getfixturevalue("timed_ledger" if "timed_ledger" in request.fixturenames else "any_ledger")
    with any_ledger.begin() as uow:
        uow.sessions.create("s")
        uow.sessions.create("t", metadata={"k": "t's own"})


def test_a_value_is_set_and_read(any_ledger: Ledger) -> None:
    values: dict[str, Any] = {"a": {"x": [1.0, None]}, "é": "東京", " ": False, "k" * 255: 0, "z": None, "'; --": 1e16}
    with any_ledger.begin() as uow:
        for key, value in values.items():
            uow.metadata.set("s", key, value)
    with any_ledger.read() as uow:
        assert values == uow.metadata.all("s") == uow.sessions.get("s").metadata
        assert sorted(values) == list(uow.metadata.all("s"))
        for key, value in values.items():
            assert value == uow.metadata.get("s", key, default="another")


def test_a_value_takes_the_place_of_the_one_before(timed_ledger: Ledger, clock: StoppedClock, raw: Raw) -> None:
    with timed_ledger.begin() as uow:
        uow.metadata.set("s", "k", 1)
        clock.advance(hours=1)
        uow.metadata.set("s", "k", [2])
        assert {"k": [2]} == uow.metadata.all("s")
        assert {"k": "t's own"} == uow.metadata.all("t")
    assert 2 == raw.count("chatledger_session_metadata")


def test_a_default_stands_for_what_is_not_there(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        assert uow.metadata.get("s", "k") is None
        assert "d" == uow.metadata.get("s", "k", "d")
        uow.metadata.set("s", "k", None)
        assert uow.metadata.get("s", "k", "d") is None


def test_an_entry_can_be_deleted(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        uow.metadata.set("s", "k", 1)
        uow.metadata.delete("s", "k")
        assert {} == uow.metadata.all("s")
        with pytest.raises(MetadataNotFound) as caught:
            uow.metadata.delete("s", "k")
        assert ("s", "k") == (caught.value.session_id, caught.value.key)
        assert {"k": "t's own"} == uow.metadata.all("t")


def test_nobody_has_no_metadata(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        for act in (
            lambda: uow.metadata.set("nobody", "k", 1),
            lambda: uow.metadata.get("nobody", "k"),
            lambda: uow.metadata.all("nobody"),
            lambda: uow.metadata.delete("nobody", "k"),
        ):
            with pytest.raises(SessionNotFound):
                act()


@pytest.mark.parametrize(
    ("field", "key", "value"),
    [
        ("key", "", 1), ("key", "k" * 256, 1), ("key", "\x00", 1), ("key", "\ud800", 1), ("key", 5, 1),
        ("key", None, 1), ("key", b"k", 1), ("value", "k", float("nan")), ("value", "k", {1: 2}),
        ("value", "k", "\x00"), ("value", "k", ["\ud800"]), ("value", "k", object()),
    ],
)  # fmt: skip
@ONCE
def test_what_cannot_be_stored_is_refused_by_name(any_ledger: Ledger, field: str, key: Any, value: Any) -> None:
    with any_ledger.begin() as uow:
        with pytest.raises(InvalidInput) as caught:
            uow.metadata.set("s", key, value)
        assert field == caught.value.field
        assert {} == uow.metadata.all("s")


def test_a_closed_session_keeps_its_metadata(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        uow.sessions.archive("t")
        uow.metadata.set("t", "l", 2)
        assert {"k": "t's own", "l": 2} == uow.metadata.all("t")
