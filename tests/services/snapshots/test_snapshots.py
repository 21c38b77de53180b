"""Snapshots: what was there comes back as it was, over the session or beside it, and can be taken back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from chatledger import InvalidInput, Ledger, SessionClosed, SessionExists, SnapshotNotFound, Status
from tests.services.messages.nasty_values import GOOD_JSON, GOOD_TEXTS
from tests.services.messages.test_counters import WRONG
from tests.support.clock import StoppedClock
from tests.support.contents import contents
from tests.support.once import ONE_FLAVOR
from tests.support.raw import Raw

RICH: list[dict[str, Any]] = [
    {
        "role": "assistant", "content": "It costs 5 €\n\u2028\x1f — 東京",
        "payload": {"b": 1e16, "a": [None, -0.0, 2**70]}, "metadata": {"é": "\U0010ffff"}, "name": "né",
        "tool_call_id": "call:1", "model_id": "gpt-5", "input_tokens": 10**12, "output_tokens": 3,
        "cached_tokens": 1, "tokens_used": 7, "duration_ms": 12, "cost": Decimal("0.000000001"),
        "key": "k:1", "created_at": datetime(2026, 5, 1, 3, 0, 0, 7, tzinfo=timezone(timedelta(hours=9))),
    },
    {"role": "tool", "content": "", "payload": [], "created_at": datetime(1, 1, 1, tzinfo=UTC)},
    *({"role": "user", "content": text} for text in GOOD_TEXTS[::9]),
    *({"role": "developer", "payload": value} for value in GOOD_JSON[::5]),
]  # fmt: skip
"""A message of every field, and messages of every value that has been trouble."""


@pytest.fixture
def rich(timed_ledger: Ledger) -> Ledger:
    with timed_ledger.begin() as uow:
        uow.sessions.create(
            "s", user_id="ada", project_id="p", model_id="m", title="Trip", system_prompt="Be 東京", context={"x": 1e16},
            metadata={"b": [1, None], "a": {"deep": "\\u0000 'quoted'"}},
        )  # fmt: skip
        uow.messages.append_many("s", RICH)
    return timed_ledger


def whole(any_ledger: Ledger, session_id: str) -> tuple[Any, Any]:
    """What a session is, but for its id and its times."""
    changing = {"session_id", "created_at", "updated_at", "last_activity", "forked_from", "forked_at"}
    with any_ledger.read() as uow:
        session = uow.sessions.get(session_id)
        messages = [message.model_dump(exclude={"session_id"}) for message in uow.messages.iterate(session_id)]
    return session.model_dump(exclude=changing), messages


def test_a_snapshot_holds_all_of_a_conversation_with_its_figures(rich: Ledger, clock: StoppedClock) -> None:
    with rich.begin(actor="bob") as uow:
        clock.advance(minutes=1)
        taken = uow.snapshots.take("s", "manual", reason="before the experiment")
        session = uow.sessions.get("s")
        assert ("s:1", "s", 1, "manual", clock.now, "bob", "before the experiment") == (
            taken.snapshot_id, taken.session_id, taken.snapshot_number, taken.kind, taken.created_at, taken.actor,
            taken.reason,
        )  # fmt: skip
        assert (len(RICH), session.total_tokens, 12, Decimal("1e-9"), len(RICH)) == (
            taken.message_count, taken.total_tokens, taken.total_duration_ms, taken.total_cost, taken.last_sequence,
        )  # fmt: skip
        assert taken == uow.snapshots.get("s:1")
        assert tuple(uow.messages.history("s")) == uow.snapshots.messages("s:1")
        assert not uow.snapshots.diff("s:1")
        second = uow.snapshots.take("s")
        assert ("checkpoint", 2, None) == (second.kind, second.snapshot_number, second.reason)
        assert [taken, second] == uow.snapshots.list("s")
        uow.snapshots.delete("s:1")
        assert [second] == uow.snapshots.list("s")
        assert 3 == uow.snapshots.take("s").snapshot_number
        kinds: tuple[Any, ...] = ("", "Manual", None, 1, [])
        for kind in kinds:
            with pytest.raises(InvalidInput, match="kind"):
                uow.snapshots.take("s", kind)


def test_restored_as_new_it_is_the_same_but_for_its_name(rich: Ledger, raw: Raw) -> None:
    before = whole(rich, "s")
    with rich.begin() as uow:
        taken = uow.snapshots.take("s")
        uow.messages.clear("s")
        uow.sessions.update("s", title=None, project_id=None, context={})
        new = uow.snapshots.restore("s:1", as_session_id="t")
        assert ("t", "active", "s", taken.last_sequence) == (new.session_id, new.status, new.forked_from, new.forked_at)
        assert 1 + new.last_sequence == uow.messages.append("t", "user", "on").sequence_number
        uow.messages.pop("t")
    session, messages = whole(rich, "t")
    session["last_sequence"] -= 1
    assert before == (session, messages)
    assert [] == raw(WRONG)
    digests = "SELECT digest FROM chatledger_messages WHERE session_id = 't' AND digest IS NULL"
    assert [] == raw(digests)
    with rich.begin() as uow:
        for taken_name in ("s", "t"):
            with pytest.raises(SessionExists):
                uow.snapshots.restore("s:1", as_session_id=taken_name)
        for name in ("", "x" * 256, "\x00", 5):
            with pytest.raises(InvalidInput):
                uow.snapshots.restore("s:1", as_session_id=name)  # type: ignore[arg-type]


def change_everything(any_ledger: Ledger, raw: Raw) -> None:
    """Numbers 1 to 4 are changed, gone, redacted, changed by raw SQL; new ones have come; one takes a key again."""
    raw("DELETE FROM chatledger_messages WHERE session_id = 's' AND sequence_number IN (1, 2)")
    raw(
        "UPDATE chatledger_messages SET content = 'forged', cost = 5, tokens_used = 9 WHERE session_id = 's' AND sequence_number = 4"
    )
    with any_ledger.begin() as uow:
        uow.messages.pop("s")
        uow.messages.append_many("s", [{"role": "user", "content": "newcomer", "key": "k:1", "tokens_used": 5}] * 1)
        uow.messages.append("s", "user", "newcomer again", cost=1)
        uow.sessions.update("s", title="Other", project_id="q", system_prompt=None)
        uow.metadata.set("s", "a", 2)
        uow.metadata.delete("s", "b")
        uow.metadata.set("s", "c", 3)


def test_restored_over_the_session_everything_is_as_it_was_and_can_be_undone(rich: Ledger, raw: Raw) -> None:
    before = whole(rich, "s")
    last = len(RICH)
    rich.run(lambda uow: uow.snapshots.take("s"))
    change_everything(rich, raw)
    changed = whole(rich, "s")
    with rich.begin() as uow:
        diff = uow.snapshots.diff("s:1")
        assert ((last + 1, last + 2), (1, 2, last), (4,)) == (diff.added, diff.removed, diff.changed)
        assert {"title", "project_id", "system_prompt", "metadata"} == set(diff.fields)
        assert bool(diff)
        restored = uow.snapshots.restore("s:1", reason="a mistake")
        assert restored == uow.sessions.get("s")
        # The counters are right in the same transaction, and numbers go on from the highest there ever was.
        assert (last, last + 2) == (restored.message_count, restored.last_sequence)
        assert not uow.snapshots.diff("s:1")
        (entry,) = uow.audit.list(action="session.restored")
        assert entry.details == {"snapshot": 1, "undo": 2, "removed": 2, "brought_back": 3, "changed_back": 1}
        assert ("a mistake", "checkpoint", "before restoring s:1") == (
            entry.reason, (undo := uow.snapshots.get("s:2")).kind, undo.reason,
        )  # fmt: skip
    assert [] == raw(WRONG)
    session, messages = whole(rich, "s")
    session["last_sequence"] = last
    assert before == (session, messages)
    rich.run(lambda uow: uow.snapshots.restore("s:2"))
    assert changed == whole(rich, "s")
    assert [] == raw(WRONG)
    with rich.begin() as uow:
        assert ["checkpoint"] * 3 == [snapshot.kind for snapshot in uow.snapshots.list("s")]
        assert last + 3 == uow.messages.append("s", "user", "on").sequence_number


def test_search_finds_what_was_restored_and_not_what_was_removed(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        uow.sessions.create("s")
        for word in ("otter", "badger", "数据"):
            uow.messages.append("s", "user", word)
        uow.snapshots.take("s")
        uow.messages.clear("s")
        uow.messages.append("s", "user", "weasel")
        uow.snapshots.restore("s:1")
        uow.snapshots.restore("s:1", as_session_id="t")
        for word, number in (("otter", 1), ("badger", 2), ("数据", 3), ("据", 3)):
            for include_copies, found in ((False, {("s", number)}), (True, {("s", number), ("t", number)})):
                page = uow.search.messages(word, include_copies=include_copies)
                assert found == {(hit.session_id, hit.sequence_number) for hit in page}, word
        assert [] == list(uow.search.messages("weasel"))


@pytest.mark.parametrize("status", ["idle", "paused", "active"])
@ONE_FLAVOR
def test_restoring_leaves_status_owner_limits_and_hold(timed_ledger: Ledger, clock: StoppedClock, status: str) -> None:
    with timed_ledger.begin() as uow:
        uow.sessions.create("s", user_id="ada", idle_timeout=60)
        uow.messages.append("s", "user", "Hello")
        uow.snapshots.take("s")
        uow.messages.clear("s")
        uow.sessions.update("s", user_id="bob")
        uow.timeouts.configure("s", idle_timeout=90)
        uow.sessions.hold("s")
        if status != "active":
            getattr(uow.sessions, {"idle": "mark_idle", "paused": "pause"}[status])("s")
        before = uow.sessions.get("s")
        restored = uow.snapshots.restore("s:1")
        assert 1 == restored.message_count
        assert (status, "bob", before.held_at, before.created_at, before.last_activity) == (
            restored.status, restored.user_id, restored.held_at, restored.created_at, restored.last_activity,
        )  # fmt: skip
        assert timedelta(seconds=90) == uow.timeouts.get("s").idle_timeout


def test_a_session_that_is_back_in_its_project_is_under_its_limits(timed_ledger: Ledger, clock: StoppedClock) -> None:
    with timed_ledger.begin() as uow:
        uow.timeouts.configure_default(project_id="p", idle_timeout=60)
        uow.timeouts.configure_default(project_id="q", idle_timeout=6000)
        uow.sessions.create("s", project_id="p")
        uow.snapshots.take("s")
        uow.sessions.update("s", project_id="q")
        clock.advance(seconds=61)
        assert [] == list(uow.timeouts.sweep().sessions)
        uow.snapshots.restore("s:1")
        assert ["s"] == [due.session_id for due in uow.timeouts.sweep().sessions]


@pytest.mark.parametrize("verb", ["archive", "expire", "fail"])
@ONE_FLAVOR
def test_a_closed_session_has_snapshots_and_takes_none_back(any_ledger: Ledger, raw: Raw, verb: str) -> None:
    with any_ledger.begin() as uow:
        uow.sessions.create("s", user_id="ada")
        uow.messages.append("s", "user", "Hello")
        uow.snapshots.take("s")
        uow.messages.append("s", "user", "more")
        getattr(uow.sessions, verb)("s")
        after = uow.snapshots.take("s")
        assert 2 == after.message_count
    before = contents(raw)
    with any_ledger.begin() as uow:
        with pytest.raises(SessionClosed):
            uow.snapshots.restore("s:1")
        assert (2,) == uow.snapshots.diff("s:1").added
        assert ["Hello"] == [message.content for message in uow.snapshots.messages("s:1")]
    assert before == contents(raw)
    with any_ledger.begin() as uow:
        new = uow.snapshots.restore("s:1", as_session_id="t")
        assert (Status.ACTIVE, 1, "ada") == (new.status, new.message_count, new.user_id)
        uow.sessions.reopen("s")
        assert 1 == uow.snapshots.restore("s:1").message_count


def test_snapshots_go_with_their_session_and_with_nothing_else(any_ledger: Ledger, raw: Raw) -> None:
    with any_ledger.begin() as uow:
        uow.sessions.create("s")
        uow.snapshots.take("s")
        uow.sessions.create("t")
        uow.snapshots.take("t")
        assert [] == uow.snapshots.list(uow.sessions.fork("s").session_id)
        uow.messages.append("s", "user", "x")
        uow.messages.clear("s")
        assert 1 == len(uow.snapshots.list("s"))
        uow.sessions.delete("s")
        with pytest.raises(SnapshotNotFound):
            uow.snapshots.get("s:1")
        assert "t:1" == uow.snapshots.get("t:1").snapshot_id
    assert 1 == raw.count("chatledger_session_snapshots")


def test_a_redacted_message_comes_back_from_no_snapshot(any_ledger: Ledger, raw: Raw) -> None:
    with any_ledger.begin() as uow:
        uow.sessions.create("s", title="keeps its title")
        for _ in range(3):
            uow.messages.append(
                "s", "user", "zqsecret", payload=["zqsecret"], metadata={"a": "zqsecret"}, name="zqsecret"
            )
        uow.snapshots.take("s")
        uow.snapshots.take("s")
        uow.messages.redact("s", 1)
        uow.messages.redact("s", 2, replacement="數據 gone")
        uow.messages.redact("s", 3)
        for number in (1, 2):
            assert not uow.snapshots.diff(f"s:{number}")
            assert tuple(uow.messages.history("s")) == uow.snapshots.messages(f"s:{number}")
        uow.messages.clear("s")
        uow.snapshots.restore("s:1")
        assert ["[redacted]", "數據 gone", "[redacted]"] == [message.content for message in uow.messages.history("s")]
        assert 1 == len(uow.search.messages("數據").items)
    found = {table for table, rows in contents(raw).items() if "zqsecret" in str(rows)}
    assert found <= {"chatledger_messages_fts_data"}  # until the file is scrubbed
