"""Limits of sessions, their own and by default: which hold, from where, and that they are off unless asked for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from chatledger import InvalidInput, Ledger, SessionNotFound, Timeout, UnitOfWork
from tests.support.clock import StoppedClock
from tests.support.contents import contents
from tests.support.once import ONE_DATABASE
from tests.support.raw import Raw

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def three(limits: Any) -> tuple[timedelta | None, ...]:
    return limits.idle_timeout, limits.archive_timeout, limits.hard_timeout


def moments(limits: Timeout) -> tuple[Any, ...]:
    return limits.idle_at, limits.archive_at, limits.expires_at


def test_without_limits_a_session_lives_for_ever(timed_ledger: Ledger, clock: StoppedClock, raw: Raw) -> None:
    with timed_ledger.begin() as uow:
        uow.sessions.create("s")
        uow.messages.append("s", "user", "Hello")
        clock.advance(days=36500)
        assert (0, 0, 0) == ((report := uow.timeouts.sweep()).warned, report.idled, report.archived)
        assert [] == uow.timeouts.due(within=DAY)
        limits = uow.timeouts.get("s")
        assert ((None,) * 3, (None,) * 3, None, {}) == (
            three(limits),
            moments(limits),
            limits.warn_before,
            limits.sources,
        )
        assert ({"active": 1}, 0, None) == (
            {status: number for status, number in uow.timeouts.report().by_status.items() if number},
            uow.timeouts.report().limited, uow.timeouts.report().next_check_at,
        )  # fmt: skip
    assert (0, 0) == (raw.count("chatledger_session_timeouts"), raw.count("chatledger_timeout_defaults"))


def test_switched_on_without_a_word_they_are_one_hour_and_one_day(timed_ledger: Ledger, clock: StoppedClock) -> None:
    with timed_ledger.begin() as uow:
        uow.sessions.create("s")
        limits = uow.timeouts.configure("s")
        assert limits == uow.timeouts.get("s")
        assert ((HOUR, None, DAY), 5 * MINUTE, (clock.now + HOUR, None, clock.now + DAY)) == (
            three(limits), limits.warn_before, moments(limits),
        )  # fmt: skip
        assert {"idle_timeout": "session", "hard_timeout": "session"} == limits.sources
        uow.sessions.create("t")
        assert (HOUR, None, DAY) == three(uow.timeouts.configure_default())
        assert (HOUR, None, DAY) == three(uow.timeouts.get("t"))
        assert {"idle_timeout": "ledger", "hard_timeout": "ledger"} == uow.timeouts.get("t").sources
        # Given at the creation they are what is given, and no more.
        assert (MINUTE, None, None) == three_of(uow, idle_timeout=60) == three_of(uow, idle_timeout=MINUTE)
        assert (None, 2 * MINUTE, HOUR) == three_of(uow, archive_timeout=120, hard_timeout=HOUR)


def three_of(uow: Any, **given: Any) -> tuple[timedelta | None, ...]:
    """The limits that a session begins with where no default holds."""
    uow.timeouts.clear_default()
    return three(uow.timeouts.get(uow.sessions.create(**given).session_id))


def test_what_is_not_given_stays_and_none_is_no_limit(timed_ledger: Ledger) -> None:
    with timed_ledger.begin() as uow:
        uow.sessions.create("s")
        configure = uow.timeouts.configure
        first = configure("s", idle_timeout=60, archive_timeout=120.0, hard_timeout=3 * MINUTE, warn_before=10)
        assert ((MINUTE, 2 * MINUTE, 3 * MINUTE), timedelta(seconds=10)) == (three(first), first.warn_before)
        assert (MINUTE, None, 3 * MINUTE) == three(configure("s", archive_timeout=None))
        assert (5 * MINUTE, None, 3 * MINUTE) == three(configure("s", idle_timeout=5 * MINUTE))
        assert (5 * MINUTE, None, 3 * MINUTE) == three(last := configure("s"))
        assert timedelta(seconds=10) == last.warn_before
        assert timedelta(0) == configure("s", warn_before=0).warn_before
        assert (None, None, None) == three(last := configure("s", idle_timeout=None, hard_timeout=None))
        assert last.warn_before is None
        assert (None, None, MINUTE) == three(configure("s", hard_timeout=60))  # that there were none was meant
        assert (HOUR, None, DAY) == three((uow.timeouts.clear("s"), configure("s"))[1])


def test_of_each_limit_the_narrowest_scope_counts(timed_ledger: Ledger) -> None:
    none = dict.fromkeys(("idle_timeout", "archive_timeout", "hard_timeout"))
    with timed_ledger.begin() as uow:
        uow.sessions.create("s", user_id="ada", project_id="p")
        uow.sessions.create("other", user_id="bob", project_id="q")
        uow.timeouts.configure_default(idle_timeout=1, archive_timeout=2, hard_timeout=3, warn_before=0.5)
        uow.timeouts.configure_default(project_id="p", archive_timeout=20, hard_timeout=30)
        uow.timeouts.configure_default(user_id="ada", hard_timeout=300)
        limits = uow.timeouts.get("s")
        assert (1, 20, 300) == tuple(limit.total_seconds() for limit in three(limits) if limit is not None)
        expected = {"idle_timeout": "ledger", "archive_timeout": "project", "hard_timeout": "user"}
        assert {**expected, "warn_before": "ledger"} == limits.sources
        limits = uow.timeouts.configure("s", idle_timeout=1000)
        assert (1000, 20, 300) == tuple(limit.total_seconds() for limit in three(limits) if limit is not None)
        assert {**expected, "idle_timeout": "session", "warn_before": "ledger"} == limits.sources
        assert (1, 2, 3) == tuple(limit.total_seconds() for limit in three(uow.timeouts.get("other")) if limit)
        # No limit is something to say, too, in each scope.
        assert (None, None, None) == three(uow.timeouts.configure("s", **none))
        uow.timeouts.clear("s")
        uow.timeouts.configure_default(user_id="ada", hard_timeout=None)
        uow.timeouts.configure_default(project_id="p", archive_timeout=None)
        assert (timedelta(seconds=1), None, None) == three(uow.timeouts.get("s"))
        found = [(default.scope, default.scope_id) for default in uow.timeouts.defaults()]
        assert [("ledger", None), ("project", "p"), ("user", "ada")] == found


def test_setting_one_limit_leaves_the_others_to_the_defaults(timed_ledger: Ledger) -> None:
    """A day is no limit that a session under a default of a month may come by unasked."""
    with timed_ledger.begin() as uow:
        uow.sessions.create("s", user_id="ada")
        uow.timeouts.configure_default(idle_timeout=8 * HOUR, hard_timeout=30 * DAY)
        assert (2 * HOUR, None, 30 * DAY) == three(uow.timeouts.configure("s", idle_timeout=2 * HOUR))
        uow.timeouts.configure_default(user_id="ada", archive_timeout=9 * DAY)
        uow.timeouts.clear("s")
        assert (8 * HOUR, 9 * DAY, 30 * DAY) == three(uow.timeouts.get("s"))


def test_whoever_a_session_belongs_to_decides_which_default_holds(timed_ledger: Ledger, clock: StoppedClock) -> None:
    with timed_ledger.begin() as uow:
        uow.timeouts.configure_default(user_id="ada", idle_timeout=60, hard_timeout=None)
        uow.timeouts.configure_default(project_id="p", idle_timeout=120, hard_timeout=None)
        for name in ("a", "b", "c"):
            uow.sessions.create(name, user_id="bob")
        clock.advance(seconds=90)
        assert 0 == uow.timeouts.sweep().idled
        uow.sessions.update("a", user_id="ada")
        uow.sessions.update("b", project_id="p")
        assert ["a"] == [due.session_id for due in uow.timeouts.due() if due.action == "mark idle"]
        assert 1 == uow.timeouts.sweep().idled
        uow.sessions.update("b", user_id="ada")
        assert ["b"] == [due.session_id for due in uow.timeouts.sweep().sessions]
        uow.sessions.update("c", project_id="p", user_id="ada")
        uow.sessions.update("c", project_id=None, user_id=None)
        clock.advance(days=1)
        assert [] == list(uow.timeouts.sweep().sessions)


def test_when_limits_are_taken_away_the_wider_ones_hold_at_once(timed_ledger: Ledger, clock: StoppedClock) -> None:
    long: dict[str, Any] = {"idle_timeout": None, "archive_timeout": DAY, "hard_timeout": None}
    with timed_ledger.begin() as uow:
        for name, user, project in (("of a user", "ada", None), ("of a project", None, "p"), ("its own", None, None)):
            uow.sessions.create(name, user_id=user, project_id=project)
        uow.timeouts.configure_default(idle_timeout=None, archive_timeout=60, hard_timeout=None)
        uow.timeouts.configure_default(user_id="ada", **long)
        uow.timeouts.configure_default(project_id="p", **{**long, "archive_timeout": None})
        uow.timeouts.configure("its own", **long)
        clock.advance(minutes=10)
        assert [] == list(uow.timeouts.sweep().sessions)
        assert uow.timeouts.clear_default(user_id="ada")
        assert ["of a user"] == [due.session_id for due in uow.timeouts.sweep().sessions]
        assert uow.timeouts.clear_default(project_id="p")
        assert ["of a project"] == [due.session_id for due in uow.timeouts.sweep().sessions]
        uow.timeouts.clear("its own")
        assert ["its own"] == [due.session_id for due in uow.timeouts.sweep().sessions]
        assert uow.timeouts.clear_default()
        assert not uow.timeouts.clear_default()
        uow.sessions.reopen("its own")
        clock.advance(days=1000)
        assert [] == list(uow.timeouts.sweep().sessions)


def test_a_default_holds_for_whoever_is_inserted_by_raw_sql(
    timed_ledger: Ledger, clock: StoppedClock, raw: Raw
) -> None:
    with timed_ledger.begin() as uow:
        uow.timeouts.configure_default(idle_timeout=None, archive_timeout=60)
        uow.timeouts.configure_default(user_id="ada", archive_timeout=None, hard_timeout=None)
    insert = "INSERT INTO chatledger_sessions (session_id, user_id, created_at, last_activity) VALUES"
    then = f"{clock.now - DAY:%Y-%m-%d %H:%M:%S.%f}"
    raw(f"{insert} ('one', 'bob', :then, :then)", then=then)
    raw(f"{insert} ('two', 'ada', :then, :then), ('three', 'ada', :then, :then)", then=then)
    raw("INSERT INTO chatledger_sessions (session_id, status, user_id) VALUES ('closed', 'archived', 'bob')")
    with timed_ledger.begin() as uow:
        assert ["one"] == [due.session_id for due in uow.timeouts.sweep().sessions]
        assert {"one", "closed"} == {session.session_id for session in uow.sessions.list(status="archived")}
        assert [] == list(uow.timeouts.sweep(now=clock.now + 10 * DAY).sessions)


def test_a_fork_has_the_limits_of_its_original_and_a_life_of_its_own(timed_ledger: Ledger, clock: StoppedClock) -> None:
    with timed_ledger.begin() as uow:
        uow.sessions.create("s", user_id="ada", archive_timeout=60, hard_timeout=HOUR)
        uow.sessions.create("plain", user_id="ada")
        uow.timeouts.configure_default(user_id="ada", idle_timeout=30)
        clock.advance(seconds=50)
        for name in ("s", "plain"):
            uow.sessions.fork(name, new_session_id=f"fork of {name}")
        original, copy = uow.timeouts.get("s"), uow.timeouts.get("fork of s")
        assert (three(original), original.sources) == (three(copy), copy.sources)
        assert (clock.now + timedelta(seconds=60), clock.now + HOUR) == (copy.archive_at, copy.expires_at)
        assert three(uow.timeouts.get("plain")) == three(uow.timeouts.get("fork of plain"))
        uow.timeouts.configure("s", archive_timeout=None)
        assert copy == uow.timeouts.get("fork of s")
        clock.advance(seconds=59)
        assert {"s", "plain", "fork of s", "fork of plain"} == {due.session_id for due in uow.timeouts.sweep().sessions}
        assert {"fork of s": "archive"} == {
            due.session_id: due.action for due in uow.timeouts.due(clock.now + timedelta(seconds=1), within=1)
        }


def test_a_closed_session_has_limits_for_when_it_is_reopened(timed_ledger: Ledger, clock: StoppedClock) -> None:
    with timed_ledger.begin() as uow:
        uow.sessions.create("s")
        uow.sessions.archive("s")
        limits = uow.timeouts.configure("s", archive_timeout=60)
        assert ((None, MINUTE, None), (None,) * 3, "archived") == (three(limits), moments(limits), limits.status)
        clock.advance(days=30)
        assert [] == uow.timeouts.due()
        assert [] == list(uow.timeouts.sweep().sessions)
        uow.sessions.reopen("s")
        limits = uow.timeouts.get("s")
        assert (None, clock.now + MINUTE, None) == moments(limits)
        assert [] == list(uow.timeouts.sweep().sessions)


def test_a_hard_limit_set_after_a_reopening_counts_from_it(timed_ledger: Ledger, clock: StoppedClock) -> None:
    with timed_ledger.begin() as uow:
        uow.sessions.create("s")
        uow.sessions.archive("s")
        clock.advance(days=30)
        uow.sessions.reopen("s")
        reopened = clock.now
        clock.advance(hours=1)
        limits = uow.timeouts.configure("s", idle_timeout=None, hard_timeout=DAY)
        assert reopened + DAY == limits.expires_at
        assert [] == list(uow.timeouts.sweep().sessions)


BAD: tuple[Any, ...] = (
    0,
    -1,
    timedelta(0),
    timedelta(seconds=-1),
    float("nan"),
    float("inf"),
    10**12,
    "soon",
    b"x",
    [],
    {},
    object(),
)


@pytest.mark.parametrize("field", ["idle_timeout", "archive_timeout", "hard_timeout", "warn_before"])
@ONE_DATABASE
def test_a_limit_that_is_none_is_refused_by_name_and_changes_nothing(ledger: Ledger, raw: Raw, field: str) -> None:
    with ledger.begin() as uow:
        uow.sessions.create("s", archive_timeout=60)
    before = contents(raw)
    for value in BAD:
        if field == "warn_before" and value in (0, timedelta(0)):
            continue  # as good as never
        doors: tuple[Callable[[UnitOfWork, dict[str, Any]], object], ...] = (
            lambda uow, given: uow.timeouts.configure("s", **given),
            lambda uow, given: uow.timeouts.configure_default(**given),
            lambda uow, given: uow.timeouts.configure_default(user_id="ada", **given),
        )
        for door in doors:
            with ledger.begin() as uow, pytest.raises(InvalidInput) as caught:
                door(uow, {field: value})
            assert field == caught.value.field
    assert before == contents(raw)


def test_a_default_is_for_a_user_or_a_project_and_limits_for_who_is_there(ledger: Ledger) -> None:
    with ledger.begin() as uow:
        for change in (uow.timeouts.configure_default, uow.timeouts.clear_default):
            with pytest.raises(InvalidInput):
                change(user_id="ada", project_id="p")
        with pytest.raises(SessionNotFound):
            uow.timeouts.configure("nobody")
        assert [] == uow.timeouts.defaults()
        for within in (-1, float("nan"), "x", timedelta(-1), True):
            with pytest.raises(InvalidInput, match="within"):
                uow.timeouts.due(within=within)  # type: ignore[arg-type]
