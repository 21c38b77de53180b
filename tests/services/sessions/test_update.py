"""What may be changed of a session, and what stays."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from chatledger import InvalidInput, Ledger, Session, SessionClosed, SessionNotFound
from tests.support.clock import StoppedClock
from tests.support.once import ONCE, ONE_FLAVOR
from tests.support.raw import Raw


def get(any_ledger: Ledger, session_id: str = "s") -> Session:
    with any_ledger.read() as uow:
        return uow.sessions.get(session_id)


@pytest.fixture
def full(timed_ledger: Ledger, clock: StoppedClock) -> Ledger:
    with timed_ledger.begin() as uow:
        uow.sessions.create(
            "s", user_id="ada", project_id="p", model_id="m", title="Trip", system_prompt="Be terse.", context={"a": 1}
        )
    clock.advance(hours=1)
    return timed_ledger


def test_what_is_given_changes_and_the_rest_stays(full: Ledger, clock: StoppedClock) -> None:
    before = get(full)
    with full.begin() as uow:
        changed = uow.sessions.update("s", title="Lisbon", model_id="m2")
    assert before.model_copy(update={"title": "Lisbon", "model_id": "m2", "updated_at": clock.now}) == changed
    assert changed == get(full)


def test_none_clears(full: Ledger) -> None:
    with full.begin() as uow:
        uow.sessions.update("s", user_id=None, project_id=None, model_id=None, title=None, system_prompt=None)
    found = get(full)
    assert [None] * 5 == [found.user_id, found.project_id, found.model_id, found.title, found.system_prompt]
    assert {"a": 1} == found.context


@pytest.mark.parametrize("nothing", [None, {}])
def test_a_context_is_emptied_by_none_and_by_an_empty_one(full: Ledger, nothing: dict[str, Any] | None) -> None:
    with full.begin() as uow:
        assert {} == uow.sessions.update("s", context=nothing).context
    assert {} == get(full).context


def test_a_context_is_replaced_as_a_whole(full: Ledger) -> None:
    with full.begin() as uow:
        uow.sessions.update("s", context={"b": [1, {"c": None}]})
    assert {"b": [1, {"c": None}]} == get(full).context


def test_a_new_project_or_model_is_registered(full: Ledger, raw: Raw) -> None:
    with full.begin() as uow:
        uow.sessions.update("s", project_id="p2", model_id="m2")
    assert ["p", "p2"] == [row[0] for row in raw("SELECT project_id FROM chatledger_projects ORDER BY 1")]
    assert ["m", "m2"] == [row[0] for row in raw("SELECT model_id FROM chatledger_models ORDER BY 1")]


@pytest.mark.parametrize("field", ["status", "message_count", "session_id", "created_at", "titel", "context_"])
@ONCE
def test_an_unknown_name_is_refused(full: Ledger, field: str) -> None:
    before = get(full)
    changes: dict[str, Any] = {"title": "new", field: "x"}
    with pytest.raises(TypeError, match=field), full.begin() as uow:
        uow.sessions.update("s", **changes)
    assert before == get(full)


def test_messages_do_not_move_updated_at(full: Ledger, clock: StoppedClock) -> None:
    before = get(full)
    with full.begin() as uow:
        uow.messages.append("s", "user", "Hello")
    assert (before.updated_at, clock.now) == (get(full).updated_at, get(full).last_activity)


def test_raw_changes_move_updated_at(full: Ledger, raw: Raw) -> None:
    before = get(full)
    raw("UPDATE chatledger_sessions SET title = 'raw' WHERE session_id = 's'")
    assert before.updated_at != get(full).updated_at


def test_context_changes_are_merged(full: Ledger) -> None:
    with full.begin() as uow:
        merged = uow.sessions.update_context("s", {"b": {"x": 1}, "c": None})
        assert {"a": 1, "b": {"x": 1}, "c": None} == merged
        uow.sessions.update_context("s", {"b": {"y": 2}})
        left = uow.sessions.update_context("s", {"d": 4}, remove=["a", "never there"])
    assert {"b": {"y": 2}, "c": None, "d": 4} == left == get(full).context


def test_merging_at_the_same_time_loses_nothing(full: Ledger) -> None:
    def add(name: str) -> None:
        full.run(lambda uow: uow.sessions.update_context("s", {name: 1}))

    threads = [threading.Thread(target=add, args=(f"k{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {"a": 1, **{f"k{number}": 1 for number in range(8)}} == get(full).context


WRONG: dict[str, tuple[Any, Any]] = {
    "a number": (5, ()),
    "none": (None, ()),
    "a list": (["a"], ()),
    "text": ("ab", ()),
    "keys that are numbers": ({1: 2}, ()),
    "nan": ({"a": float("nan")}, ()),
    "remove a number": ({}, 5),
    "remove lists": ({}, [[]]),
    "remove text": ({}, "a"),
}


@pytest.mark.parametrize(("changes", "remove"), WRONG.values(), ids=WRONG.keys())
@ONCE
def test_what_cannot_be_merged_is_refused(full: Ledger, changes: Any, remove: Any) -> None:
    with pytest.raises(InvalidInput), full.begin() as uow:
        uow.sessions.update_context("s", changes, remove=remove)
    assert {"a": 1} == get(full).context


@pytest.mark.parametrize("closing", ["archive", "expire", "fail"])
@ONE_FLAVOR
def test_the_context_of_a_closed_session_is_closed_and_metadata_is_not(full: Ledger, closing: str) -> None:
    with full.begin() as uow:
        getattr(uow.sessions, closing)("s")
        calls: list[Callable[[], Any]] = [
            lambda: uow.sessions.update_context("s", {"b": 2}),
            lambda: uow.sessions.update("s", title="later", context={"b": 2}),
            lambda: uow.messages.append("s", "user", "otter"),
        ]
        for call in calls:
            with pytest.raises(SessionClosed):
                call()
        uow.metadata.set("s", "label", "good")
        uow.sessions.update("s", title="Lisbon")
    found = get_closed(full)
    assert ({"a": 1}, {"label": "good"}, "Lisbon") == (found.context, found.metadata, found.title)


def get_closed(any_ledger: Ledger) -> Session:
    with any_ledger.read() as uow:
        return uow.sessions.get("s", include_expired=True)


def test_a_session_that_is_not_there_is_not_changed(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        with pytest.raises(SessionNotFound):
            uow.sessions.update("s", title="x")
        with pytest.raises(SessionNotFound):
            uow.sessions.update("s")
        with pytest.raises(SessionNotFound):
            uow.sessions.update_context("s", {})


def test_a_new_owner_has_it_in_the_list_and_the_old_one_not(full: Ledger) -> None:
    with full.begin() as uow:
        uow.sessions.update("s", user_id="bob")
    with full.read() as uow:
        assert [] == list(uow.sessions.list(user_id="ada"))
        assert ["s"] == [session.session_id for session in uow.sessions.list(user_id="bob")]
