"""Sessions are created, and found again as they were given."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from chatledger import InvalidInput, Ledger, Session, SessionExists, SessionNotFound, Status
from tests.support.clock import StoppedClock
from tests.support.once import ONE_DATABASE
from tests.support.raw import Raw

JSON: dict[str, Any] = {
    "order": [3, 1, 2],
    "z": 1,
    "a": {"deep": [{"er": None}, True, False]},
    "float": 1e16,
    "tenth": 0.1,
    "minus zero": -0.0,
    "large": 2**80,
    "text": 'naïve 東京 🧑‍🚀 "quoted" \\u0041 \n\t',
    "": "empty key",
}


def test_a_session_is_given_a_time_ordered_id(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        ids = [uow.sessions.create().session_id for _ in range(3)]
    assert sorted(ids) == ids
    assert {7} == {uuid.UUID(session_id).version for session_id in ids}


def test_what_was_given_comes_back(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        made = uow.sessions.create(
            "trip", user_id="ada", project_id="travel", model_id="gpt-5", title="Trip to Lisbon",
            system_prompt="You are terse.\n", context=JSON, metadata={"tags": ["a", "b"], "rank": 1.5, "none": None},
        )  # fmt: skip
    with any_ledger.read() as uow:
        found = uow.sessions.get("trip")
    assert made == found
    assert ("trip", "ada", "travel", "gpt-5") == (found.session_id, found.user_id, found.project_id, found.model_id)
    assert ("Trip to Lisbon", "You are terse.\n") == (found.title, found.system_prompt)
    assert (JSON, list(JSON)) == (found.context, list(found.context))
    assert "-0.0" == str(found.context["minus zero"])
    assert {"tags": ["a", "b"], "rank": 1.5, "none": None} == found.metadata
    assert Status.ACTIVE is found.status
    assert found.is_open


def test_a_bare_session_is_empty(timed_ledger: Ledger, clock: StoppedClock) -> None:
    with timed_ledger.begin() as uow:
        made = uow.sessions.create("bare")
    expected = Session(
        session_id="bare", user_id=None, project_id=None, model_id=None, title=None, system_prompt=None,
        status=Status.ACTIVE, context={}, metadata={}, message_count=0, total_tokens=0, total_duration_ms=0,
        total_cost=Decimal(0), last_sequence=0, created_at=clock.now, updated_at=clock.now, last_activity=clock.now,
        expired_at=None, archived_at=None,
        held_at=None, forked_from=None, forked_at=None, name=None, parent_id=None,
    )  # fmt: skip
    assert expected == made
    with timed_ledger.read() as uow:
        assert expected == uow.sessions.get("bare")


def test_a_past_conversation_keeps_its_time_in_utc(any_ledger: Ledger) -> None:
    given = datetime(2019, 3, 31, 1, 59, 59, 999999, tzinfo=timezone(timedelta(hours=-9, minutes=-30)))
    with any_ledger.begin() as uow:
        made = uow.sessions.create("old", created_at=given)
    assert (given, UTC) == (made.created_at, made.created_at.tzinfo)
    with any_ledger.read() as uow:
        assert (given, UTC) == (uow.sessions.get("old").created_at, uow.sessions.get("old").created_at.tzinfo)


def test_a_taken_id_is_refused_and_nothing_is_changed(any_ledger: Ledger, raw: Raw) -> None:
    with any_ledger.begin() as uow:
        uow.sessions.create("s", title="first", metadata={"k": 1})
    with pytest.raises(SessionExists) as caught, any_ledger.begin() as uow:
        uow.sessions.create("s", title="second", metadata={"k": 2, "l": 3}, project_id="p")
    assert "s" == caught.value.session_id
    with any_ledger.read() as uow:
        found = uow.sessions.get("s")
    assert ("first", {"k": 1}) == (found.title, found.metadata)
    assert 0 == raw.count("chatledger_projects")


def test_a_taken_id_does_not_spoil_the_transaction(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        uow.sessions.create("s")
        with pytest.raises(SessionExists):
            uow.sessions.create("s")
        uow.sessions.create("t")
    with any_ledger.read() as uow:
        assert {"s", "t"} == {session.session_id for session in uow.sessions.list()}


def test_projects_and_models_are_registered_once(any_ledger: Ledger, raw: Raw) -> None:
    for _ in range(2):
        with any_ledger.begin() as uow:
            uow.sessions.create(project_id="p", model_id="m")
            uow.sessions.create(project_id="p", model_id="n")
    assert ["p"] == [row.project_id for row in raw("SELECT project_id FROM chatledger_projects")]
    assert ["m", "n"] == [row.model_id for row in raw("SELECT model_id FROM chatledger_models ORDER BY model_id")]


def test_timeouts_are_stored_in_seconds(timed_ledger: Ledger, raw: Raw) -> None:
    with timed_ledger.begin() as uow:
        uow.sessions.create("s", idle_timeout=90, hard_timeout=timedelta(hours=2))
        uow.sessions.create("t", idle_timeout=timedelta(milliseconds=1))
        uow.sessions.create("u")
    rows = raw("SELECT session_id, idle_limit, hard_limit FROM chatledger_session_timeouts ORDER BY session_id")
    assert [("s", 90, 7200), ("t", 1, None)] == [tuple(row) for row in rows]


@pytest.mark.parametrize("limit", [0, -1, timedelta(0), float("nan"), float("inf"), "soon", [], 1e300])
@pytest.mark.parametrize("field", ["idle_timeout", "hard_timeout"])
@ONE_DATABASE
def test_a_timeout_that_is_none_is_refused(ledger: Ledger, field: str, limit: Any) -> None:
    with pytest.raises(InvalidInput) as caught, ledger.begin() as uow:
        uow.sessions.create(**{field: limit})
    assert field == caught.value.field


def test_a_timeout_beyond_the_end_of_time_is_refused(ledger: Ledger) -> None:
    with pytest.raises(InvalidInput), ledger.begin() as uow:
        uow.sessions.create(hard_timeout=60, created_at=datetime.max.replace(tzinfo=UTC))


def test_who_is_not_there_is_not_found(any_ledger: Ledger) -> None:
    with any_ledger.read() as uow:
        assert uow.sessions.find("nobody") is None
        with pytest.raises(SessionNotFound) as caught:
            uow.sessions.get("nobody")
    assert "nobody" == caught.value.session_id


def test_an_expired_session_is_hidden_until_asked_for(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        uow.sessions.create("s")
        uow.sessions.expire("s")
    with any_ledger.read() as uow:
        assert uow.sessions.find("s") is None
        with pytest.raises(SessionNotFound):
            uow.sessions.get("s")
        assert Status.EXPIRED is uow.sessions.get("s", include_expired=True).status
        found = uow.sessions.find("s", include_expired=True)
        assert found is not None
        assert found.expired_at is not None
        assert () == uow.sessions.list().items
        assert ["s"] == [session.session_id for session in uow.sessions.list(status="expired")]


def test_what_users_hold_is_frozen(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        made = uow.sessions.create("s")
    with pytest.raises(ValueError, match="frozen"):
        made.title = "other"
