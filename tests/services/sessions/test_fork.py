"""A fork is a copy that goes its own way."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from chatledger import InvalidInput, Ledger, Message, MessageNotFound, SessionExists, SessionNotFound, Status
from tests.support.clock import StoppedClock
from tests.support.once import ONE_FLAVOR
from tests.support.raw import Raw


@pytest.fixture
def trunk(timed_ledger: Ledger, clock: StoppedClock) -> Ledger:
    """Five messages, a minute apart."""
    with timed_ledger.begin() as uow:
        uow.sessions.create(
            "trunk", user_id="ada", project_id="p", model_id="m", title="Trunk", system_prompt="Be terse.",
            context={"step": 5}, metadata={"tag": ["x"], "none": None}, idle_timeout=60,
        )  # fmt: skip
        for number in range(1, 6):
            clock.advance(minutes=1)
            uow.messages.append(
                "trunk", "tool", f"text {number} otter", payload={"n": number, "f": 1e16}, metadata={"m": number},
                name="clock", tool_call_id="call", model_id="m2", input_tokens=number, output_tokens=1, cached_tokens=1,
                duration_ms=10, cost="0.000000001", key=f"key {number}",
            )  # fmt: skip
    clock.advance(hours=1)
    return timed_ledger


def without_session(messages: list[Message]) -> list[dict[str, Any]]:
    """What is equal in an original and its copy."""
    where = {"session_id", "copied_from", "copied_sequence"}
    return [message.model_dump(exclude=where) for message in messages]


def test_all_of_a_session_is_copied(trunk: Ledger, clock: StoppedClock) -> None:
    with trunk.begin() as uow:
        fork = uow.sessions.fork("trunk", new_session_id="fork")
    with trunk.read() as uow:
        original = uow.sessions.get("trunk")
        assert fork == uow.sessions.get("fork")
        assert without_session(uow.messages.history("trunk")) == without_session(uow.messages.history("fork"))
    expected = {
        "session_id": "fork", "forked_from": "trunk", "forked_at": 5, "created_at": clock.now, "updated_at": clock.now,
        "last_activity": clock.now,
    }  # fmt: skip
    assert original.model_copy(update=expected) == fork


def test_the_forks_of_a_session_are_listed(trunk: Ledger) -> None:
    with trunk.begin() as uow:
        for name in ("first", "second"):
            uow.sessions.fork("trunk", new_session_id=name)
        uow.sessions.fork("first", new_session_id="below")
        uow.sessions.delete("second")
    with trunk.read() as uow:
        assert ["first"] == [fork.session_id for fork in uow.sessions.list(forked_from="trunk")]
        assert ["below"] == [fork.session_id for fork in uow.sessions.iterate(forked_from="first")]
        assert 0 == uow.sessions.count(forked_from="nobody")


def test_a_branch_that_was_taken_elsewhere_has_its_own_time(trunk: Ledger, clock: StoppedClock) -> None:
    began = clock.now - timedelta(minutes=10)
    with trunk.begin() as uow:
        fork = uow.sessions.fork("trunk", created_at=began)
        assert (began, began, clock.now) == (fork.created_at, fork.last_activity, fork.updated_at)
        with pytest.raises(InvalidInput, match="created_at"):
            uow.sessions.fork("trunk", created_at=began.replace(tzinfo=None))


def test_a_fork_ends_with_the_message_that_was_named(trunk: Ledger) -> None:
    with trunk.begin() as uow:
        fork = uow.sessions.fork("trunk", at=2, title="Branch")
        assert ("trunk", 2, "Branch") == (fork.forked_from, fork.forked_at, fork.title)
        assert (2, 2, 5, 20) == (fork.message_count, fork.last_sequence, fork.total_tokens, fork.total_duration_ms)
        assert Decimal("0.000000002") == fork.total_cost
        assert [1, 2] == [message.sequence_number for message in uow.messages.history(fork.session_id)]
        assert 3 == uow.messages.append(fork.session_id, "user", "on").sequence_number


def test_digests_are_copied_and_hold(trunk: Ledger, raw: Raw) -> None:
    with trunk.begin() as uow:
        uow.sessions.fork("trunk", new_session_id="fork")
    digests = raw(
        "SELECT sequence_number, digest FROM chatledger_messages WHERE digest IS NOT NULL ORDER BY 1, session_id"
    )
    assert 10 == len(digests)
    assert digests[::2] == digests[1::2]


def test_a_fork_is_found_by_search(trunk: Ledger) -> None:
    with trunk.begin() as uow:
        uow.sessions.fork("trunk", at=1, new_session_id="fork")
        assert ["fork"] == [hit.session_id for hit in uow.search.messages("otter", session_id="fork")]


def test_gaps_stay_gaps(trunk: Ledger) -> None:
    with trunk.begin() as uow:
        uow.messages.pop("trunk")
        uow.messages.append("trunk", "user", "six")
        fork = uow.sessions.fork("trunk", new_session_id="fork")
        assert [1, 2, 3, 4, 6] == [message.sequence_number for message in uow.messages.history("fork")]
        assert (5, 6) == (fork.message_count, fork.last_sequence)
        # A number that was taken away again is still a place to fork at.
        assert 4 == uow.sessions.fork("trunk", at=5).message_count


@pytest.mark.parametrize("verb", ["archive", "expire", "pause", "mark_idle"])
@ONE_FLAVOR
def test_a_fork_is_active_whatever_the_original_is(trunk: Ledger, verb: str) -> None:
    with trunk.begin() as uow:
        getattr(uow.sessions, verb)("trunk")
        fork = uow.sessions.fork("trunk")
        assert (Status.ACTIVE, None, None) == (fork.status, fork.archived_at, fork.expired_at)
        assert 6 == uow.messages.append(fork.session_id, "user", "on").sequence_number


def test_beyond_the_end_there_is_nothing_to_fork(trunk: Ledger) -> None:
    with trunk.begin() as uow:
        for number in (6, 2**31, 10**12):
            with pytest.raises(MessageNotFound) as caught:
                uow.sessions.fork("trunk", at=number)
            assert ("trunk", number) == (caught.value.session_id, caught.value.sequence_number)
        for wrong in (0, -1, True, 1.0, "1"):
            with pytest.raises(InvalidInput) as refused:
                uow.sessions.fork("trunk", at=wrong)  # type: ignore[arg-type]
            assert "at" == refused.value.field


def test_a_taken_id_is_refused(trunk: Ledger, raw: Raw) -> None:
    with trunk.begin() as uow:
        uow.sessions.create("taken")
        for name in ("taken", "trunk"):
            with pytest.raises(SessionExists):
                uow.sessions.fork("trunk", new_session_id=name)
    assert (5, 2) == (raw.count("chatledger_messages"), raw.count("chatledger_sessions"))


def test_nobody_cannot_be_forked(trunk: Ledger) -> None:
    with trunk.begin() as uow, pytest.raises(SessionNotFound):
        uow.sessions.fork("nobody")


def test_an_empty_session_can_be_forked(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        uow.sessions.create("empty")
        fork = uow.sessions.fork("empty")
        assert (0, 0, 0) == (fork.message_count, fork.last_sequence, fork.forked_at)


def test_later_changes_of_one_do_not_touch_the_other(trunk: Ledger) -> None:
    with trunk.begin() as uow:
        uow.sessions.fork("trunk", new_session_id="fork")
        uow.messages.redact("trunk", 1)
        uow.messages.pop("fork")
        uow.metadata.set("fork", "tag", "changed")
        uow.sessions.update_context("fork", {"step": 6})
        uow.messages.append("trunk", "user", "only here")
        # The same key, in two sessions that both hold it.
        assert 5 == uow.messages.append("trunk", **again(5)).sequence_number
        uow.sessions.delete("trunk")
        assert "text 1 otter" == uow.messages.get("fork", 1).content
        assert 4 == uow.sessions.get("fork").message_count
        assert {"tag": "changed", "none": None} == uow.sessions.get("fork").metadata


def again(number: int) -> dict[str, Any]:
    return {
        "role": "tool", "content": f"text {number} otter", "payload": {"n": number, "f": 1e16},
        "metadata": {"m": number}, "name": "clock", "tool_call_id": "call", "model_id": "m2", "input_tokens": number,
        "output_tokens": 1, "cached_tokens": 1, "duration_ms": 10, "key": f"key {number}",
    }  # fmt: skip
