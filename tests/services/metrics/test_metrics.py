"""Metrics: recorded in bulk, listed, put into periods, purged, and gone with their session."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chatledger import InvalidInput, Ledger, SessionNotFound
from tests.support.once import ONCE
from tests.support.raw import Raw

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def measured(any_ledger: Ledger) -> Ledger:
    with any_ledger.begin() as uow:
        for name, user in (("a", "ada"), ("b", "bob")):
            uow.sessions.create(name, user_id=user)
        uow.metrics.record_many(
            {"name": "latency", "value": number / 4, "unit": "s", "session_id": "ab"[number % 2], "model_id": "m",
             "at": NOON + timedelta(minutes=30 * number)} for number in range(4)
        )  # fmt: skip
        uow.metrics.record("latency", 250, "ms", project_id="p", at=NOON + timedelta(days=1))
        uow.metrics.record("queue", -3, user_id="ada", metadata={"k": (1,)}, at=NOON)
    return any_ledger


def test_numbers_come_back_newest_first(measured: Ledger) -> None:
    with measured.read() as uow:
        first = uow.metrics.list(limit=4)
        rest = uow.metrics.list(limit=4, cursor=first.next_cursor)
        assert ([250.0, 0.75, 0.5, 0.25], {0.0, -3.0}, None) == (
            [metric.value for metric in first], {metric.value for metric in rest}, rest.next_cursor,
        )  # fmt: skip
        queue = uow.metrics.list("queue")[0]
        assert (None, None, "ada", None, None, {"k": [1]}, NOON) == (
            queue.unit, queue.session_id, queue.user_id, queue.model_id, queue.project_id, queue.metadata, queue.at,
        )  # fmt: skip
        filters: list[tuple[dict[str, Any], list[float]]] = [
            ({"unit": "ms"}, [250]),
            ({"session_id": "a"}, [0.5, 0]),
            ({"user_id": "ada"}, [0.5, 0, -3]),
            ({"model_id": "m", "since": NOON + timedelta(hours=1)}, [0.75, 0.5]),
            ({"project_id": "p"}, [250]),
            ({"until": NOON + timedelta(minutes=1)}, [-3, 0]),
            ({"name": "' OR 1=1"}, []),
        ]
        assert [sorted(expected) for _, expected in filters] == [
            sorted(metric.value for metric in uow.metrics.list(**some)) for some, _ in filters
        ]
        assert ["latency", "queue"] == uow.metrics.names()


def test_a_series_never_adds_up_different_units(measured: Ledger) -> None:
    with measured.read() as uow:
        days = [(point.start, point.unit, point.count, point.sum) for point in uow.metrics.series("latency")]
        midnight = NOON.replace(hour=0)
        assert [(midnight, "s", 4, 1.5), (midnight + timedelta(days=1), "ms", 1, 250.0)] == days
        hours = uow.metrics.series("latency", "hour", unit="s")
        assert [(NOON, 0.0, 0.25, 0.125), (NOON + timedelta(hours=1), 0.5, 0.75, 0.625)] == [
            (point.start, point.min, point.max, point.avg) for point in hours
        ]
        assert [(1, "ms"), (4, "s")] == sorted(
            (point.count, point.unit) for point in uow.metrics.series("latency", "month")
        )
        assert [("ms", 1, 250.0), ("s", 4, 0.375)] == [
            (each.unit, each.count, each.avg) for each in uow.metrics.summary("latency")
        ]
        assert 3 == len(uow.metrics.summary())
        with pytest.raises(InvalidInput, match=r"by: is not one of hour, day, month"):
            uow.metrics.series("latency", "minute'")  # type: ignore[arg-type]


def test_the_largest_numbers_can_be_averaged(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        for value in (1e300, -1e300, 1e300, 5e-324, -0.0):
            uow.metrics.record("n", value)
        assert {1e300, -1e300, 5e-324, 0.0} == {metric.value for metric in uow.metrics.list("n")}
        assert 1e300 / 5 == uow.metrics.series("n")[0].avg


def test_thousands_are_one_statement_and_all_or_none(measured: Ledger, raw: Raw) -> None:
    before = raw.count("chatledger_performance_metrics")
    with measured.begin() as uow:
        assert 5000 == uow.metrics.record_many({"name": "n", "value": float(number)} for number in range(5000))
    assert before + 5000 == raw.count("chatledger_performance_metrics")
    for wrong, field in (({"name": "n"}, "metrics[1].value"), ({"name": "n", "value": 1.0, "x": 1}, "metrics[1].x")):
        with measured.begin() as uow, pytest.raises(InvalidInput) as caught:
            uow.metrics.record_many([{"name": "n", "value": 1.0}, wrong])
        assert field == caught.value.field
    with measured.begin() as uow, pytest.raises(SessionNotFound):
        uow.metrics.record_many([{"name": "n", "value": 1}, {"name": "n", "value": 1, "session_id": "x"}])
    assert before + 5000 == raw.count("chatledger_performance_metrics")


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"value": math.nan}, "value"),
        ({"value": -math.inf}, "value"),
        ({"value": "1"}, "value"),
        ({"value": True}, "value"),
        ({"value": 10**400}, "value"),
        ({"name": ""}, "name"),
        ({"unit": "\x00"}, "unit"),
        ({"metadata": {"a": math.inf}}, "metadata"),
        ({"at": datetime(2026, 5, 1)}, "at"),
        ({"session_id": "a", "user_id": "ada"}, "user_id"),
    ],
)
@ONCE
def test_what_cannot_be_kept_is_refused_by_name(measured: Ledger, given: dict[str, Any], field: str) -> None:
    with measured.begin() as uow, pytest.raises(InvalidInput) as caught:
        uow.metrics.record(**{"name": "n", "value": 1.0, **given})
    assert field == caught.value.field


def test_what_is_old_is_purged(measured: Ledger) -> None:
    with measured.begin() as uow:
        assert 3 == uow.metrics.purge(older_than=NOON + timedelta(hours=1), dry_run=True)
        assert 2 == uow.metrics.purge(older_than=NOON + timedelta(hours=1), name="latency")
        assert 4 == len(uow.metrics.list())
        assert 4 == uow.metrics.purge(older_than=0)
        with pytest.raises(InvalidInput):
            uow.metrics.purge(older_than=-1)


def test_a_session_takes_its_numbers_along(measured: Ledger, raw: Raw) -> None:
    with measured.begin() as uow:
        uow.sessions.delete("a")
        assert [0.75, 0.25] == [metric.value for metric in uow.metrics.list("latency", unit="s")]
    raw("DELETE FROM chatledger_sessions WHERE session_id = 'b'")  # another program
    assert [("latency", ""), ("queue", "")] == sorted(
        tuple(row) for row in raw("SELECT name, session_id FROM chatledger_performance_metrics")
    )


def test_an_erased_user_leaves_none(measured: Ledger) -> None:
    measured.erase_user("ada", scrub=False)
    with measured.read() as uow:
        assert [250.0, 0.75, 0.25] == [metric.value for metric in uow.metrics.list()]


def test_one_records_and_sees_ones_own(measured: Ledger) -> None:
    with measured.for_user("ada").begin() as uow:
        uow.metrics.record("mine", 1)
        uow.metrics.record("mine", 2, session_id="a")
        assert {("mine", 1.0), ("mine", 2.0), ("latency", 0.5), ("latency", 0.0), ("queue", -3.0)} == {
            (metric.name, metric.value) for metric in uow.metrics.list()
        }
        with pytest.raises(InvalidInput) as caught:
            uow.metrics.record("n", 1, user_id="bob")
        assert "user_id" == caught.value.field
        assert 5 == uow.metrics.purge(older_than=datetime.now(UTC) + timedelta(days=1))
    with measured.read() as uow:
        assert [250.0, 0.75, 0.25] == [metric.value for metric in uow.metrics.list()]
