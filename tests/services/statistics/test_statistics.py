"""Statistics equal what is computed from the messages one by one, in any time zone, on both databases."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from itertools import pairwise
from math import ceil
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from chatledger import InvalidInput, Ledger, Message, Outcome, SessionNotFound, Usage
from chatledger.services.statistics.filters import ByLike
from tests.support.once import ONE_DATABASE
from tests.support.raw import Raw

_START = datetime(2026, 3, 20, 0, 3, 7, 123456, tzinfo=UTC)
_SINCE, _UNTIL = datetime(2026, 3, 26, 4, 11, 5, 9, tzinfo=UTC), datetime(2026, 4, 2, 23, 52, 1, tzinfo=UTC)


@pytest.fixture
def filled(ledger: Ledger) -> Ledger:
    """Messages of two weeks around the day on which clocks go forward, with every figure missing here and there."""
    fill(ledger)
    return ledger


def fill(ledger: Ledger) -> None:
    dice = random.Random(7)

    def some(value: Any) -> Any:
        return value if dice.random() < 0.8 else None

    with ledger.begin() as uow:
        for number, user in enumerate(("ada", "bob", None)):
            uow.sessions.create(
                f"s{number}", user_id=user, project_id=some(f"p{number % 2}"), model_id=some(f"m{number}")
            )
            uow.messages.append_many(
                f"s{number}",
                [
                    {
                        "role": dice.choice(("user", "assistant", "tool")),
                        "input_tokens": some(dice.randrange(1000)),
                        "output_tokens": some(dice.randrange(1000)),
                        "cached_tokens": some(3),
                        "cache_write_tokens": some(4),
                        "reasoning_tokens": some(2),
                        "tokens_used": some(None) or (dice.randrange(5000) if dice.random() < 0.1 else None),
                        "duration_ms": some(dice.randrange(1, 60)),
                        "cost": some(Decimal(dice.randrange(10**9)).scaleb(-9)),
                        "model_id": "m9" if dice.random() < 0.2 else None,
                        "outcome": some(dice.choice(("complete", "error", "interrupted"))),
                        "created_at": _START + timedelta(seconds=dice.randrange(14 * 86400), microseconds=number),
                    }
                    for _ in range(150)
                ],
            )


_TOKENS = ("input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens")


def each(ledger: Ledger) -> list[tuple[Message, Any]]:
    with ledger.read() as uow:
        sessions = uow.sessions.list(limit=100).items
        return [(message, session) for session in sessions for message in uow.messages.history(session.session_id)]


def counted(rows: list[tuple[Message, Any]]) -> dict[str, Any]:
    """The figures of a `Usage`, message by message."""
    every = [message for message, _ in rows]

    def total(name: str) -> int:
        return sum(getattr(message, name) or 0 for message in every)

    return {
        "sessions": len({message.session_id for message in every}),
        "messages": len(every),
        "answers": sum(message.role == "assistant" or message.outcome is not None for message in every),
        **{name: total(name) for name in _TOKENS},
        "total_tokens": total("total_tokens"),
        "cost": sum((message.cost or Decimal(0) for message in every), Decimal(0)),
        "priced": sum(message.cost is not None for message in every),
        "duration_ms": total("duration_ms"),
        "timed": sum(message.duration_ms is not None for message in every),
        "errors": sum(message.outcome == "error" for message in every),
        "interruptions": sum(message.outcome == "interrupted" for message in every),
    }


def said(usage: Usage) -> dict[str, Any]:
    return {name: getattr(usage, name) for name in Usage.model_fields}


@pytest.mark.parametrize(
    "which",
    [
        {},
        {"user_id": "ada"},
        {"project_id": "p1"},
        {"model_id": "m9"},
        {"model_id": "m0", "role": "assistant"},
        {"session_id": "s1"},
        {"since": _SINCE},
        {"since": _SINCE, "until": _UNTIL, "model_id": "m1"},
        {"since": _SINCE, "until": _SINCE + timedelta(minutes=2)},
        {"since": _SINCE, "until": _SINCE},
        {"until": datetime(2026, 4, 1, tzinfo=timezone(timedelta(hours=5, minutes=45)))},
    ],
    ids=lambda which: " ".join(f"{name}={value}" for name, value in which.items()) or "all",
)
def test_every_figure_is_that_of_the_messages(filled: Ledger, which: dict[str, Any]) -> None:
    rows = [
        (message, session)
        for message, session in each(filled)
        if which.get("user_id") in (None, session.user_id)
        and which.get("project_id") in (None, session.project_id)
        and which.get("model_id") in (None, message.model_id or session.model_id)
        and which.get("session_id") in (None, session.session_id)
        and which.get("role") in (None, message.role)
        and ("since" not in which or message.created_at >= which["since"])
        and ("until" not in which or message.created_at < which["until"])
    ]
    with filled.read() as uow:
        usage, latency = uow.statistics.overview(**which), uow.statistics.latency(**which)
    assert counted(rows) == said(usage)
    durations = sorted(message.duration_ms for message, _ in rows if message.duration_ms is not None)
    assert _nearest_ranks(durations) == (
        latency.messages, latency.min_ms, latency.p50_ms, latency.p90_ms, latency.p95_ms, latency.p99_ms, latency.max_ms,
    )  # fmt: skip


def _nearest_ranks(durations: list[int]) -> tuple[int | None, ...]:
    if not durations:
        return (0, *[None] * 6)
    return (
        len(durations),
        durations[0],
        *(durations[ceil(len(durations) * rank / 100) - 1] for rank in (50, 90, 95, 99)),
        durations[-1],
    )


@pytest.mark.parametrize("by", ["model", "project", "user", "role", "session"])
def test_parts_are_those_of_the_messages_and_add_up(filled: Ledger, by: ByLike) -> None:
    def key(message: Message, session: Any) -> Any:
        return {
            "model": message.model_id or session.model_id,
            "project": session.project_id,
            "user": session.user_id,
            "role": message.role,
            "session": message.session_id,
        }[by]

    groups: dict[Any, list[Any]] = {}
    for message, session in each(filled):
        groups.setdefault(key(message, session), []).append((message, session))
    with filled.read() as uow:
        parts = getattr(uow.statistics, f"by_{by}")()
        total = uow.statistics.overview()
        latencies = {one.key: one.p50_ms for one in uow.statistics.latency_by(by)}
    assert {name: counted(rows) for name, rows in groups.items()} == {one.key: said(one) for one in parts}
    assert {**said(total), "sessions": 0} == {
        **{name: sum(getattr(one, name) for one in parts) for name in Usage.model_fields}, "sessions": 0
    }  # fmt: skip
    assert latencies == {
        name: _nearest_ranks(sorted(m.duration_ms for m, _ in rows if m.duration_ms is not None))[2]
        for name, rows in groups.items()
    }


def _day(at: datetime) -> Any:
    return at.date()


def _week(at: datetime) -> Any:
    return at.date() - timedelta(days=at.weekday())


def _month(at: datetime) -> Any:
    return at.date().replace(day=1)


def _hour(at: datetime) -> Any:
    return at.date(), at.hour, at.utcoffset()


@pytest.mark.parametrize(("kind", "label"), [("day", _day), ("week", _week), ("month", _month), ("hour", _hour)])
@pytest.mark.parametrize(
    "tz", ["UTC", "Europe/Lisbon", "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns", "Pacific/Apia"]
)
def test_periods_are_those_of_the_zones_clock(
    filled: Ledger, kind: str, label: Callable[[datetime], Any], tz: str
) -> None:
    zone = ZoneInfo(tz)
    groups: dict[Any, list[Any]] = {}
    for message, session in each(filled):
        groups.setdefault(label(message.created_at.astimezone(zone)), []).append((message, session))
    with filled.read() as uow:
        periods = getattr(uow.statistics, f"by_{kind}")(tz=tz)
        split = getattr(uow.statistics, f"by_{kind}")(tz=tz, split="role", since=_SINCE, until=_UNTIL)
        total = uow.statistics.overview(since=_SINCE, until=_UNTIL)
        latencies = uow.statistics.latency_by_day(tz=tz, period=kind)
    assert {name: counted(rows) for name, rows in groups.items()} == {
        label(one.start): said(one) for one in periods if one.messages
    }
    assert all(one.end.astimezone(UTC) == two.start.astimezone(UTC) for one, two in pairwise(periods))
    assert total.cost == sum(one.cost for one in split)
    assert [(one.start, one.timed) for one in periods if one.timed] == [
        (one.start, one.messages) for one in latencies if one.messages
    ]


@pytest.mark.parametrize("kind", ["day", "hour"])
@pytest.mark.parametrize("split", [None, "model", "role", "project"])
def test_percentiles_of_a_period_are_those_of_its_messages(filled: Ledger, kind: str, split: ByLike | None) -> None:
    zone, label = ZoneInfo("Asia/Kathmandu"), {"day": _day, "hour": _hour}[kind]
    groups: dict[Any, list[int]] = {}
    for message, session in each(filled):
        if message.duration_ms is not None:
            key = {"model": message.model_id or session.model_id, "role": message.role, "project": session.project_id}
            of = label(message.created_at.astimezone(zone)), split and key[split]
            groups.setdefault(of, []).append(message.duration_ms)
    with filled.read() as uow:
        found = uow.statistics.latency_by_day(tz="Asia/Kathmandu", period=kind, split=split)
    assert {of: _nearest_ranks(sorted(durations)) for of, durations in groups.items()} == {
        (label(one.start), one.key): (
            one.messages,
            one.min_ms,
            one.p50_ms,
            one.p90_ms,
            one.p95_ms,
            one.p99_ms,
            one.max_ms,
        )
        for one in found
        if one.messages
    }


def test_a_midnight_that_comes_twice_tells_the_days_of_one_session_apart(ledger: Ledger) -> None:
    # Until 2011 the clocks of St. John's went back at a minute past midnight, to 23:01 of the day before.
    midnight = datetime(2010, 11, 7, 2, 30, tzinfo=UTC)
    with ledger.begin() as uow:
        uow.sessions.create("s")
        for minutes, took in ((-20, 1), (0, 2), (20, 3)):
            uow.messages.append(
                "s", "assistant", "x", duration_ms=took, created_at=midnight + timedelta(minutes=minutes)
            )
    with ledger.read() as uow:
        usage = uow.statistics.by_day(tz="America/St_Johns")
        latency = uow.statistics.latency_by_day(tz="America/St_Johns")
    assert [(6, 2), (7, 1)] == [(day.start.day, day.timed) for day in usage]
    assert [(6, 1, 3), (7, 2, 2)] == [(day.start.day, day.min_ms, day.max_ms) for day in latency]


def test_a_day_has_as_many_hours_as_its_clock_and_empty_ones_are_there(ledger: Ledger) -> None:
    spring, autumn = datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 24, 23, tzinfo=UTC)
    with ledger.read() as uow:
        (short,) = uow.statistics.by_day(tz="Europe/Berlin", since=spring - timedelta(hours=1), until=spring)
        (long,) = uow.statistics.by_day(tz="Europe/Berlin", since=autumn, until=autumn + timedelta(minutes=5))
        hours = uow.statistics.by_hour(tz="Europe/Berlin", since=autumn, until=autumn + timedelta(hours=5))
        week = uow.statistics.activity(tz="Europe/Berlin")
    assert (23, 25) == tuple(
        (day.end.astimezone(UTC) - day.start.astimezone(UTC)) // timedelta(hours=1) for day in (short, long)
    )
    assert [1, 2, 2, 3, 4] == [hour.start.hour for hour in hours]
    assert (168, 0, None) == (len(week), week[0].messages, week[0].error_rate)


def test_usage_follows_every_change(ledger: Ledger, url: str) -> None:
    fill(ledger)
    raw = Raw(url)
    with ledger.begin() as uow:
        uow.messages.pop("s0")
        uow.messages.redact("s0", 3)
        uow.sessions.fork("s1")
        uow.messages.clear("s2")
    raw("UPDATE chatledger_messages SET session_id = 's2' WHERE session_id = 's1' AND sequence_number % 3 = 0")
    raw("UPDATE chatledger_messages SET created_at = (SELECT min(created_at) FROM chatledger_messages), outcome = NULL, cost = 5,"
        " role = 'tool', model_id = 'm8' WHERE sequence_number % 5 = 0")  # fmt: skip
    raw("DELETE FROM chatledger_messages WHERE session_id = 's0' AND sequence_number > 20")
    # The changes by SQL, originals that it moved and a model that it named among them, and no miscount.
    assert {"digest", "copies", "names"} == {finding.kind for finding in ledger.check().findings}
    with ledger.read() as uow:
        assert counted(each(ledger)) == said(uow.statistics.overview(include_copies=True))
    with ledger.begin() as uow:
        uow.sessions.delete("s0")
    raw("DELETE FROM chatledger_sessions")
    assert 0 == raw.count("chatledger_session_usage")


def test_a_session_that_changes_its_model_or_owner_takes_its_messages_along(ledger: Ledger) -> None:
    with ledger.begin() as uow:
        uow.sessions.create("s", user_id="ada", model_id="m1")
        uow.messages.append("s", "user", "a")
        uow.messages.append("s", "assistant", "b", model_id="m7")
        uow.sessions.update("s", model_id="m2")
    with ledger.read() as uow:
        assert {"m2": 1, "m7": 1} == {one.key: one.messages for one in uow.statistics.by_model()}


def test_what_replaces_a_message_is_counted_once(migrated_sqlite_url: str) -> None:
    raw = Raw(migrated_sqlite_url)
    raw("INSERT INTO chatledger_sessions (session_id) VALUES ('s')")
    # By a connection of ours: SQLite elsewhere runs no trigger for what is replaced (docs/operations.md).
    with Ledger(migrated_sqlite_url) as ledger, ledger.engine.begin() as connection:
        for cost in (3, 4):
            connection.exec_driver_sql(
                "INSERT OR REPLACE INTO chatledger_messages (session_id, sequence_number, role, content, cost)"
                f" VALUES ('s', 1, 'user', 'x', {cost})"
            )
    assert [(1, 4)] == [tuple(row) for row in raw("SELECT messages, cost FROM chatledger_session_usage")]


def test_a_period_is_compared_with_the_one_before(filled: Ledger) -> None:
    with filled.read() as uow:
        found = uow.statistics.compare(since=_SINCE, until=_UNTIL)
        before = uow.statistics.overview(since=_SINCE - (_UNTIL - _SINCE), until=_SINCE)
        nothing = uow.statistics.compare(since=_UNTIL, until=_UNTIL)
    assert before == found.previous
    assert found.change("messages") == found.current.messages / before.messages - 1
    assert nothing.change("cost") is None


def test_means_and_rates_are_exact(ledger: Ledger) -> None:
    with ledger.begin() as uow:
        uow.sessions.create("s", model_id="m")
        for cost, took, outcome in (
            ("0.000000001", 1, Outcome.ERROR),
            ("0.000000002", 2, Outcome.COMPLETE),
            (None, None, None),
        ):
            uow.messages.append("s", "assistant", cost=cost, duration_ms=took, outcome=outcome)
    with ledger.read() as uow:
        usage = uow.statistics.overview()
        assert [usage] == [Usage(**said(one)) for one in uow.statistics.errors()]
    assert (Decimal("0.000000002"), Decimal("1.500"), 1 / 3) == (
        usage.average_cost, usage.average_duration_ms, usage.error_rate
    )  # fmt: skip


def test_the_fullest_windows_come_first(ledger: Ledger, url: str) -> None:
    with ledger.begin() as uow:
        for name, tokens in (("small", 10), ("large", 900)):
            uow.sessions.create(name, model_id="m")
            uow.messages.append(name, "user", input_tokens=5000)
            uow.messages.append(name, "assistant", input_tokens=tokens, output_tokens=100)
            uow.messages.append(name, "user", "no figures")
        uow.sessions.create("other", model_id="unknown window")
        uow.messages.append("other", "assistant", input_tokens=9)
    Raw(url)("UPDATE chatledger_models SET context_window = 1000 WHERE model_id = 'm'")
    with ledger.read() as uow:
        assert [("large", 1.0), ("small", 0.11)] == [
            (one.session_id, one.share) for one in uow.statistics.context_use()
        ]


@pytest.mark.parametrize(
    "ask",
    [
        lambda s: s.overview(since=datetime(2026, 1, 1)),
        lambda s: s.overview(since=_UNTIL, until=_SINCE),
        lambda s: s.by_day(tz="Europe/Lisboa"),
        lambda s: s.by_day(tz="../../etc/passwd"),
        lambda s: s.by_day(tz=""),
        lambda s: s.by_day(split="colour"),
        lambda s: s.by_hour(since=datetime(1, 1, 2, tzinfo=UTC), until=datetime(9999, 1, 1, tzinfo=UTC)),
        lambda s: s.by_session(order="name; DROP TABLE chatledger_messages"),
        lambda s: s.by_session(limit=0),
        lambda s: s.latency_by("nothing"),
        lambda s: s.latency_by_day(period="decade"),
        lambda s: s.overview(role="wizard"),
        lambda s: s.overview(flavor="green"),
        lambda s: s.overview(user_id=7),
    ],
    ids=map(str, range(14)),
)
@ONE_DATABASE
def test_what_cannot_be_asked_is_refused_by_name(ledger: Ledger, ask: Callable[[Any], object]) -> None:
    with ledger.read() as uow, pytest.raises(InvalidInput):
        ask(uow.statistics)


def test_since_ever_until_for_ever_is_a_time_as_any_other(filled: Ledger) -> None:
    tz = "Asia/Tokyo"
    ever: Any = {"since": datetime(1700, 1, 1, tzinfo=UTC), "until": datetime(9999, 11, 1, tzinfo=UTC)}
    centuries = ever | {"until": datetime(2400, 11, 1, tzinfo=UTC)}  # a list of 8,400 months and not of 99,600
    with filled.read() as uow:
        statistics = uow.statistics
        months = [one for one in statistics.by_month(tz=tz, **centuries) if one.messages]
        assert [one for one in statistics.by_month(tz=tz) if one.messages] == months
        durations = [one for one in statistics.latency_by_day(tz=tz, period="month", **centuries) if one.messages]
        assert [one for one in statistics.latency_by_day(tz=tz, period="month") if one.messages] == durations
        assert statistics.activity(tz=tz) == statistics.activity(tz=tz, **ever)


@pytest.mark.parametrize("period", ["hour", "day", "week", "month"])
@pytest.mark.parametrize(
    ("tz", "day"),
    [
        ("America/New_York", datetime.min.replace(tzinfo=UTC)),
        ("Asia/Tokyo", datetime(9999, 12, 31, tzinfo=UTC)),
    ],
)
@ONE_DATABASE
def test_a_period_that_leaves_the_calendar_is_refused(ledger: Ledger, tz: str, day: datetime, period: str) -> None:
    until = day + timedelta(hours=23, minutes=59)
    with ledger.read() as uow, pytest.raises(InvalidInput, match="leaves the calendar"):
        uow.statistics.latency_by_day(tz=tz, period=period, since=day, until=until)


def test_a_user_counts_what_is_theirs(filled: Ledger) -> None:
    with filled.read() as uow:
        expected = uow.statistics.overview(user_id="ada")
        theirs = uow.statistics.by_day(tz="Asia/Tokyo", user_id="ada")
    own = filled.for_user("ada")
    with own.read() as uow:
        statistics = uow.statistics
        assert expected == statistics.overview()
        assert 0 == statistics.overview(user_id="bob").messages == statistics.latency(user_id="bob").messages
        assert ["ada"] == [one.key for one in statistics.by_user()]
        assert ["s0"] == [one.key for one in statistics.by_session()]
        assert theirs == statistics.by_day(tz="Asia/Tokyo")
        with pytest.raises(SessionNotFound):
            statistics.overview(session_id="s1")


def test_sync_and_async_answer(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        uow.sessions.create("s")
        uow.messages.append("s", "user", duration_ms=4)
    with any_ledger.read() as uow:
        assert (1, 4) == (uow.statistics.overview().messages, uow.statistics.latency().p99_ms)


def test_a_cost_that_is_not_known_is_not_nothing(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        assert ("0", "0") == (str(uow.sessions.create("s").total_cost), str(uow.sessions.get("s").total_cost))
        assert '"total_cost":"0"' in uow.sessions.get("s").model_dump_json()
        nothing = uow.statistics.overview()
        uow.messages.append("s", "assistant", "otter", input_tokens=1)
        unknown = uow.statistics.overview()
        uow.messages.append("s", "assistant", "heron", cost="0.000000001")
        partly = uow.statistics.overview()
        small = uow.messages.get("s", 2)
    assert [(True, 0), (False, 1), (True, 1)] == [(one.cost_known, one.unpriced) for one in (nothing, unknown, partly)]
    costs = [json.loads(one.model_dump_json())["cost"] for one in (nothing, unknown, partly)]
    assert ["0", None, "0.000000001"] == costs
    assert "0.000000001" == json.loads(small.model_dump_json())["cost"]


def test_a_change_from_a_cost_that_is_not_known_is_not_known(ledger: Ledger) -> None:
    at = datetime(2026, 5, 1, tzinfo=UTC)
    with ledger.begin() as uow:
        uow.sessions.create("s")
        uow.messages.append("s", "assistant", cost=1, created_at=at)
        uow.messages.append("s", "assistant", input_tokens=1, created_at=at + timedelta(days=1))
        found = uow.statistics.compare(since=at + timedelta(days=1), until=at + timedelta(days=2))
    assert (0.0, None) == (found.change("answers"), found.change("cost"))
