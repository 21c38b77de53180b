"""Whether a session is due, without any database: examples, and properties over all of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatledger import Status
from chatledger.enums import OPEN, LimitKind, SweepAction
from chatledger.services.timeouts.policy import Decision, Limits, SessionState, deadlines, decide

T = datetime(2026, 5, 17, 12, tzinfo=UTC)
EVER = datetime.max.replace(tzinfo=UTC)


def at(seconds: float) -> datetime:
    return T + timedelta(seconds=seconds)


def limits(idle: int | None = None, archive: int | None = None, hard: int | None = None, warn: int = 0) -> Limits:
    idled, archived, ended = (None if n is None else timedelta(seconds=n) for n in (idle, archive, hard))
    return Limits(idled, archived, ended, timedelta(seconds=warn))


def state(its: Limits, **facts: Any) -> SessionState:
    given = {"status": Status.ACTIVE, "held": False, "created_at": T, "last_activity": T, "last_sequence": 0, **facts}
    return SessionState(session_id="s", limits=its, **given)


def after(session: SessionState, decision: Decision) -> SessionState:
    """The session as the next sweep reads it."""
    known = {name: value for name, value in decision.columns.items() if name not in ("expires_at", "warned_at")}
    became = {SweepAction.IDLE: Status.IDLE, SweepAction.ARCHIVE: Status.ARCHIVED}
    status = session.status if decision.action is None else became.get(decision.action, session.status)
    return replace(session, status=status, **known)


def what(session: SessionState, now: datetime) -> tuple[Any, Any, Any]:
    return decide(session, now)[:3]


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        (99, (None, None, None)),
        (100, ("warn", "idle", 200)),
        (199, ("warn", "idle", 200)),
        (200, ("mark idle", "idle", 200)),
        (499, ("mark idle", "idle", 200)),
        (500, ("archive", "archive", 500)),
        (1000, ("archive", "hard", 1000)),
    ],
)
def test_each_limit_is_reached_at_its_very_moment(second: int, expected: tuple[str, str, int]) -> None:
    session = state(limits(200, 500, 1000, warn=100))
    action, kind, moment = what(session, at(second))
    assert expected == (action, kind, None if moment is None else (moment - T).total_seconds())


def test_a_short_limit_is_warned_of_half_way_and_none_where_that_is_wanted() -> None:
    assert what(state(limits(hard=10, warn=300)), at(4.9))[0] is None
    assert ("warn", "hard", at(10)) == what(state(limits(hard=10, warn=300)), at(5))
    assert what(state(limits(hard=10, warn=0)), at(9.9))[0] is None


def test_a_pause_keeps_the_limits_of_inactivity_away_and_a_hold_all() -> None:
    every = limits(1, 2, 1000)
    assert what(state(every, status=Status.PAUSED), at(999))[0] is None
    assert ("archive", "hard", at(1000)) == what(state(every, status=Status.PAUSED), at(1000))
    assert what(state(every, held=True), EVER) == (None, None, None)
    assert ("archive", "archive", at(2)) == what(state(every, status=Status.IDLE), at(2))
    assert what(state(limits(idle=1), status=Status.IDLE), EVER)[0] is None


def test_an_activity_in_the_future_counts_from_when_it_was_met() -> None:
    session = state(limits(archive=100), created_at=T, last_activity=at(10**6), last_sequence=7)
    session = after(session, decide(session, at(5)))
    assert (at(5), 7) == (session.idle_from, session.idle_sequence)
    assert what(session, at(104.9))[0] is None
    assert ("archive", "archive", at(105)) == what(session, at(105))
    # A message has come since: it counts from now again.
    assert what(replace(session, last_sequence=8), at(105))[0] is None
    # And its time may come after all.
    assert what(replace(session, last_activity=at(104)), at(105))[0] is None


def test_a_clock_that_went_back_archives_nobody() -> None:
    session = state(limits(idle=50, archive=100, hard=200), last_activity=at(1000), created_at=at(900))
    for moment in (at(0), T.replace(year=1970), T.replace(year=1), at(950)):
        assert what(session, moment)[0] is None


def test_a_creation_in_the_future_counts_from_when_it_was_met() -> None:
    session = state(limits(hard=100), created_at=at(10**6))
    session = after(session, decide(session, at(0)))
    assert what(session, at(99))[0] is None
    assert ("archive", "hard", at(100)) == what(session, at(100))


def test_a_limit_beyond_the_calendar_is_never_reached() -> None:
    longest = Limits(None, None, timedelta(days=36500 * 300), timedelta(0))
    assert what(state(longest), EVER - timedelta(days=1))[0] is None


SECONDS = st.integers(-500, 500)
LIMIT = st.none() | st.integers(1, 300)


@st.composite
def sessions(draw: st.DrawFn) -> SessionState:
    """Sessions whose times may lie anywhere, as clocks that were wrong leave them."""
    its = limits(draw(LIMIT), draw(LIMIT), draw(LIMIT), warn=draw(st.integers(0, 200)))
    created = at(draw(SECONDS))
    active = draw(st.just(created) | st.builds(at, SECONDS))
    reopened = draw(st.none() | st.builds(at, SECONDS))
    return state(
        its, created_at=created, last_activity=active, last_sequence=draw(st.integers(0, 2)),
        status=draw(st.sampled_from(OPEN)), hard_from=reopened,
    )  # fmt: skip


@st.composite
def histories(draw: st.DrawFn) -> tuple[SessionState, datetime]:
    """A session that sweeps have met before, by a clock that goes to and fro, and a time."""
    session = draw(sessions())
    for second in draw(st.lists(SECONDS, max_size=4)):
        session = after(session, decide(session, at(second)))
    return session, at(draw(SECONDS))


thorough = settings(max_examples=150, deadline=None)


@thorough
@given(histories())
def test_nobody_is_archived_or_idle_before_the_limit(history: tuple[SessionState, datetime]) -> None:
    session, now = history
    decision = decide(session, now)
    if decision.action in (SweepAction.ARCHIVE, SweepAction.IDLE):
        allowed = {LimitKind.IDLE: session.limits.idle, LimitKind.ARCHIVE: session.limits.archive}
        if decision.limit is LimitKind.HARD:
            limit, since = session.limits.hard, session.created_at
            known = session.hard_from
        else:
            limit, since = allowed[decision.limit], session.last_activity  # type: ignore[index]  # it has one
            known = session.idle_from
        assert limit is not None
        # A time that lies ahead is no time; then it is what a sweep wrote down, which lies behind by as much.
        start = since if since <= now else known
        assert start is not None
        assert now - start >= limit
        assert decision.at is not None
        assert decision.at <= now


@thorough
@given(histories(), st.integers(1, 10**9))
def test_nothing_is_due_before_the_moment_to_look_again(history: tuple[SessionState, datetime], ahead: int) -> None:
    session, now = history
    session = after(session, decide(session, now))
    later = now + timedelta(microseconds=ahead)
    if session.next_check_at is None or later < session.next_check_at:
        assert decide(session, later).action is None


@thorough
@given(histories())
def test_whoever_looks_again_when_told_to_meets_every_limit_at_its_moment(
    history: tuple[SessionState, datetime],
) -> None:
    session, now = history
    seen_before: list[SweepAction] = []
    for _ in range(20):
        decision = decide(session, now)
        session = after(session, decision)
        if decision.action is not None:
            seen_before.append(decision.action)
        if session.next_check_at is None:
            break
        assert session.next_check_at > now
        now = session.next_check_at
    assert session.next_check_at is None
    ends = session.limits.hard is not None or (
        session.limits.archive is not None and session.status is not Status.PAUSED
    )
    assert ends == (session.status is Status.ARCHIVED)
    assert 1 >= seen_before.count(SweepAction.IDLE)
    assert 1 >= seen_before.count(SweepAction.ARCHIVE)
    # Never two warnings of one limit while nothing happens; times that were ahead and have come count as a happening.
    ahead = [session.last_activity, session.created_at]
    assert seen_before.count(SweepAction.WARN) <= 3 + 3 * sum(moment > T - timedelta(seconds=500) for moment in ahead)


@thorough
@given(histories())
def test_a_closed_or_held_session_is_left_alone_and_not_looked_at_again(history: tuple[SessionState, datetime]) -> None:
    session, now = history
    nothing = Decision(None, None, None, {"next_check_at": None})
    assert nothing == decide(replace(session, held=True), now)
    for status in set(Status) - set(OPEN):
        assert nothing == decide(replace(session, status=status), now)


@thorough
@given(histories(), st.integers(1, 500))
def test_a_message_now_moves_every_limit_of_inactivity_and_not_the_hard_one(
    history: tuple[SessionState, datetime], further: int
) -> None:
    session, now = history
    status = Status.ACTIVE if session.status is Status.IDLE else session.status
    active = replace(session, status=status, last_activity=max(session.last_activity, now), last_sequence=3)
    later = now + timedelta(seconds=further)
    decision = decide(active, later)
    if decision.action is SweepAction.ARCHIVE and decision.limit is LimitKind.ARCHIVE:
        assert session.limits.archive is not None
        assert later - now >= session.limits.archive
    before = {deadline.at for deadline in deadlines(session, later) if deadline.kind is LimitKind.HARD}
    assert before == {deadline.at for deadline in deadlines(active, later) if deadline.kind is LimitKind.HARD}
