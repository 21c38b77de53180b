"""The trail: who did what, when, why and to how many; what raw SQL deleted is in it too, and content never."""

# A block that does its work and then fails is what these tests are about.
# ruff: noqa: PT012

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chatledger import InvalidInput, Ledger
from tests.support.clock import StoppedClock
from tests.support.contents import contents
from tests.support.raw import Raw


def trail(any_ledger: Ledger, **filters: Any) -> list[tuple[Any, ...]]:
    """Oldest first: action, actor, reason, session, user, count, details."""
    with any_ledger.read() as uow:
        entries = list(uow.audit.list(limit=1000, **filters))
    return [(e.action, e.actor, e.reason, e.session_id, e.user_id, e.count, e.details) for e in reversed(entries)]


def test_it_says_who_did_what_when_why_and_how_many(timed_ledger: Ledger, clock: StoppedClock) -> None:
    with timed_ledger.begin(actor="ann") as uow:
        uow.sessions.create("s", user_id="ada")
        uow.messages.append_many("s", [{"role": "user", "content": "zqsecret"}] * 5)
        acts = (
            lambda: uow.messages.pop("s"),
            lambda: uow.messages.redact("s", 2),
            lambda: uow.snapshots.take("s"),  # a snapshot takes nothing away: no line
            lambda: uow.messages.clear("s"),
            lambda: uow.snapshots.restore("s:1", reason="r1"),
            lambda: uow.snapshots.delete("s:1", reason="r2"),
            lambda: uow.sessions.fail("s", reason="r3"),
            lambda: uow.sessions.archive("s", reason="r4"),
            lambda: uow.sessions.expire("s", reason="r5"),
            lambda: uow.sessions.reopen("s", reason="r6"),
            lambda: uow.timeouts.configure_default(user_id="ada", idle_timeout=60),
            lambda: uow.timeouts.clear_default(user_id="ada"),
            lambda: uow.timeouts.configure("s", hard_timeout=90, idle_timeout=None),
            lambda: uow.timeouts.clear("s"),
            lambda: uow.sessions.delete("s", reason="r7"),
        )
        moments = []
        for act in acts:
            moments.append(clock.advance(minutes=1))
            act()
    s = ("s", "ada")
    expected: list[tuple[Any, ...]] = [
        ("messages.deleted", "ann", None, *s, 1, None),
        ("message.redacted", "ann", None, *s, 1, {"message": 2}),
        ("messages.deleted", "ann", None, *s, 4, None),
        ("session.restored", "ann", "r1", *s, 1,
         {"snapshot": 1, "undo": 2, "removed": 0, "brought_back": 4, "changed_back": 0}),
        ("snapshot.deleted", "ann", "r2", *s, 1, {"snapshot": 1}),
        ("session.failed", "ann", "r3", *s, 1, None),
        ("session.archived", "ann", "r4", *s, 1, {"snapshot": 3, "messages": 4}),
        ("session.expired", "ann", "r5", *s, 1, None),
        ("session.reopened", "ann", "r6", *s, 1, None),
        ("timeouts.configured", "ann", None, None, None, 1,
         {"scope": "user", "idle_limit": 60, "archive_limit": None, "hard_limit": None, "warn_before": None}),
        ("timeouts.cleared", "ann", None, None, None, 1, {"scope": "user"}),
        ("timeouts.configured", "ann", None, *s, 1,
         {"scope": "session", "idle_limit": 0, "archive_limit": None, "hard_limit": 90, "warn_before": None}),
        ("timeouts.cleared", "ann", None, *s, 1, {"scope": "session"}),
        ("session.deleted", "ann", "r7", *s, 1, {"messages": 4}),
    ]  # fmt: skip
    assert expected == trail(timed_ledger)
    del moments[2]  # the snapshot
    with timed_ledger.read() as uow:
        assert moments == sorted(entry.at for entry in uow.audit.list())


def test_nobody_is_named_where_nobody_was_given_and_the_sweeper_is_itself(
    timed_ledger: Ledger, clock: StoppedClock
) -> None:
    with timed_ledger.begin() as uow:
        for name in ("a", "b", "c"):
            uow.sessions.create(name, archive_timeout=60)
        uow.sessions.delete("a")
    clock.advance(hours=1)
    timed_ledger.run(lambda uow: uow.sessions.pause("c"), actor="ann")  # minds its own business: no line
    timed_ledger.sweep()
    timed_ledger.run(lambda uow: uow.sessions.archive("c"), actor="ann")
    assert [
        ("session.deleted", None, "a"), ("session.archived", "sweeper", "b"), ("session.archived", "ann", "c"),
    ] == [(line[0], line[1], line[3]) for line in trail(timed_ledger)]  # fmt: skip
    timed_ledger.purge(older_than=0, actor="cron")
    assert {"cron"} == {line[1] for line in trail(timed_ledger)[3:]}


def test_raw_sql_leaves_lines_with_counts(ledger: Ledger, raw: Raw, backend: str) -> None:
    with ledger.begin(actor="ann") as uow:
        for name in ("s", "t", "u"):
            uow.sessions.create(name, user_id="ada")
            uow.messages.append_many(name, [{"role": "user", "content": "zqsecret"}] * 5)
    raw("DELETE FROM chatledger_messages WHERE session_id = 's' AND sequence_number < 3")
    raw("DELETE FROM chatledger_messages WHERE session_id <> 'u' AND sequence_number > 3")
    raw("DELETE FROM chatledger_messages WHERE sequence_number = 4711")
    # With a session its messages go, and have no lines of their own.
    raw("DELETE FROM chatledger_sessions WHERE session_id = 't'")
    found = trail(ledger)
    deleted = [line for line in found if line[0] == "messages.deleted"]
    assert {("s", "ada"): 4, ("t", "ada"): 2} == {
        key: sum(line[5] for line in deleted if line[3:5] == key) for key in {line[3:5] for line in deleted}
    }
    assert {(None, None)} == {line[1:3] for line in found}
    assert [("session.deleted", None, None, "t", "ada", 1, {"messages": 3})] == [f for f in found if f not in deleted]
    if backend == "postgresql":
        raw("TRUNCATE chatledger_messages")
        raw("TRUNCATE chatledger_sessions CASCADE")
        truncated = trail(ledger)[len(found) :]
        assert [("messages.truncated", 6), ("sessions.truncated", 2)] == [
            (line[0], line[5]) for line in truncated if line[5]
        ]
    with ledger.read() as uow:
        for entry in uow.audit.list():
            assert abs(entry.at - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_line_of_raw_sql_is_not_taken_for_that_of_a_service(ledger: Ledger, raw: Raw) -> None:
    """Both delete in one session, one after the other."""
    with ledger.begin() as uow:
        uow.sessions.create("s")
        uow.messages.append_many("s", [{"role": "user"}] * 9)
    raw("DELETE FROM chatledger_messages WHERE sequence_number = 9")
    ledger.run(lambda uow: uow.messages.pop("s"), actor="ann")
    raw("DELETE FROM chatledger_messages WHERE sequence_number = 7")
    ledger.run(lambda uow: uow.messages.clear("s"), actor="bob")
    assert [(None, 1), ("ann", 1), (None, 1), ("bob", 6)] == [(line[1], line[5]) for line in trail(ledger)]


def test_what_is_rolled_back_leaves_no_line(any_ledger: Ledger) -> None:
    any_ledger.run(lambda uow: uow.sessions.create("s"))
    with pytest.raises(ZeroDivisionError), any_ledger.begin() as uow:
        uow.sessions.archive("s")
        uow.sessions.delete("s")
        raise ZeroDivisionError
    assert [] == trail(any_ledger)


def test_it_can_be_asked_for_parts(timed_ledger: Ledger, clock: StoppedClock) -> None:
    began = clock.now
    for actor in ("ann", "bob", None):
        with timed_ledger.begin(actor=actor) as uow:
            for user in ("ada", "carol"):
                name = f"{actor} {user}"
                uow.sessions.create(name, user_id=user)
                uow.sessions.hold(name)
                uow.sessions.release(name)
                clock.advance(minutes=1)
    with timed_ledger.read() as uow:

        def asked(**filters: Any) -> int:
            return len(uow.audit.list(**filters).items)

        assert (12, 6, 4, 6, 2) == (
            asked(), asked(user_id="ada"), asked(actor="ann"), asked(action="session.held"),
            asked(session_id="None ada"),
        )  # fmt: skip
        assert 1 == asked(user_id="carol", actor="bob", action="session.released", session_id="bob carol")
        assert 0 == asked(user_id="ann") == asked(actor="ada") == asked(action="held")
        assert (12, 10, 2) == (
            asked(since=began), asked(since=began + timedelta(minutes=1)), asked(until=began + timedelta(minutes=1)),
        )  # fmt: skip
        assert 0 == asked(until=began) == asked(since=clock.now)
        newest = uow.audit.list(limit=1).items[0]
        assert ("session.released", "None carol") == (newest.action, newest.session_id)
        for filters in ({"since": "x"}, {"until": began.replace(tzinfo=None)}, {"limit": 0}, {"cursor": "x"}):
            with pytest.raises(InvalidInput):
                uow.audit.list(**filters)
        cursor = uow.sessions.list(limit=1).next_cursor
        with pytest.raises(InvalidInput, match="cursor"):
            uow.audit.list(cursor=cursor)


def test_pages_meet_each_line_once_while_more_are_written(timed_ledger: Ledger, clock: StoppedClock) -> None:
    """Many lines of one moment, too."""
    with timed_ledger.begin() as uow:
        for number in range(7):
            uow.sessions.create(f"s{number}")
            for act in (uow.sessions.hold, uow.sessions.release):
                act(f"s{number}")
            clock.advance(seconds=number % 2)
        every = [entry.audit_id for entry in uow.audit.list().items]
        assert 14 == len(every)
        seen: list[int] = []
        cursor = None
        while True:
            page = uow.audit.list(limit=3, cursor=cursor)
            seen += [entry.audit_id for entry in page.items]
            uow.sessions.create()
            uow.sessions.hold("s0")
            uow.sessions.release("s0")
            if (cursor := page.next_cursor) is None:
                break
    assert every == seen


def test_no_content_gets_into_it(timed_ledger: Ledger, clock: StoppedClock, raw: Raw) -> None:
    secret = "zqsecret"
    with timed_ledger.begin(actor="ann") as uow:
        uow.sessions.create(
            "s", user_id="ada", title=secret, system_prompt=secret, context={secret: secret}, metadata={secret: secret},
            archive_timeout=60, project_id=secret, model_id=secret,
        )  # fmt: skip
        for _ in range(4):
            uow.messages.append(
                "s", "user", secret, payload=secret, metadata={secret: 1}, name=secret, tool_call_id=secret
            )
        uow.snapshots.take("s")
        uow.messages.redact("s", 1, replacement=f"{secret} too")
        uow.messages.pop("s")
        uow.snapshots.restore("s:1")
        uow.snapshots.restore("s:1", as_session_id="t")
        uow.sessions.fork("s", new_session_id="u", title=secret)
        uow.messages.clear("u")
        for name in ("t", "u"):
            uow.sessions.archive(name)
            uow.sessions.reopen(name)
        uow.sessions.delete("u")
    raw("DELETE FROM chatledger_messages WHERE sequence_number = 2")
    clock.advance(days=1)
    timed_ledger.sweep()
    timed_ledger.purge(older_than=0)
    timed_ledger.erase_user("ada", keep_totals=True, scrub=False)
    lines = contents(raw)["chatledger_audit_log"]
    assert 15 < len(lines)
    assert [] == [line for line in lines if secret in str(line)]
