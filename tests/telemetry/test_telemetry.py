"""What Prometheus and OpenTelemetry are told, and that nobody else is."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client import CollectorRegistry, generate_latest
from sqlalchemy import event

from chatledger import AsyncLedger, Conflict, InvalidInput, Ledger, SweepReport
from chatledger.dialects.base import has_listeners
from chatledger.telemetry import Observer, opentelemetry, prometheus

SECRET = "walrus-of-ada"


class Heard(Observer):
    def __init__(self, *, statements: bool = False) -> None:
        self.statements = statements
        self.facts: list[tuple[Any, ...]] = []

    def transaction(self, mode: str, outcome: str, waited: float, seconds: float) -> None:
        assert waited >= 0 <= seconds
        self.facts.append((mode, outcome))

    def appended(self, messages: int) -> None:
        self.facts.append(("appended", messages))

    def statement(self, verb: str, seconds: float) -> None:
        assert seconds >= 0
        self.facts.append(("statement", verb))

    def swept(self, report: SweepReport) -> None:
        self.facts.append(("swept", report.archived))


def work(ledger: Ledger) -> None:
    """Three messages that stay and two that do not, a read, a sweep that archives one."""
    with ledger.begin() as uow:
        uow.sessions.create(SECRET, user_id=SECRET, hard_timeout=60, created_at=datetime.now(UTC) - timedelta(hours=1))
        uow.messages.append(SECRET, "user", SECRET)
        uow.messages.append_many(SECRET, [{"role": "user", "content": SECRET}] * 2)
    with suppress(ZeroDivisionError), ledger.begin() as uow:
        uow.messages.append_many(SECRET, [{"role": "user"}] * 2)
        raise ZeroDivisionError
    with ledger.read() as uow:
        uow.messages.history(SECRET)
    assert 1 == ledger.sweep().archived


def test_an_observer_hears_what_was_committed_and_how_transactions_ended(ledger: Ledger) -> None:
    heard = Heard()
    stop = ledger.observe(heard)
    work(ledger)
    stop()
    facts = heard.facts.copy()
    assert [("write", "committed"), ("appended", 3), ("write", "rolled back"), ("read", "committed")] == facts[:4]
    assert ("swept", 1) == facts[-1]
    with ledger.begin() as uow:
        uow.sessions.create("later")
    assert facts == heard.facts


def test_views_of_users_and_awaited_ledgers_are_observed_too(ledger: Ledger, url: str) -> None:
    heard = Heard()
    ledger.observe(heard)
    with ledger.for_user("ada").begin() as uow:
        uow.messages.append(uow.sessions.create().session_id, "user")

    async def awaited() -> None:
        async with AsyncLedger(url) as other:
            stop = await other.observe(heard)
            async with other.begin() as uow:
                await uow.messages.append((await uow.sessions.create()).session_id, "user")
            stop()
            assert (await other.synchronous()).url == ledger.url

    asyncio.run(awaited())
    assert [("write", "committed"), ("appended", 1)] * 2 == heard.facts


def test_statements_are_told_by_their_verb_only_where_that_is_wanted(ledger: Ledger) -> None:
    quiet, heard = Heard(), Heard(statements=True)
    ledger.observe(quiet)
    stop = ledger.observe(heard)
    with ledger.begin() as uow:
        uow.messages.append(uow.sessions.create("s").session_id, "user")
    assert {"INSERT", "SELECT"} & {fact[1] for fact in heard.facts if fact[0] == "statement"}
    assert [] == [fact for fact in quiet.facts if fact[0] == "statement"]
    stop()
    told = len(heard.facts)
    with ledger.begin() as uow:
        assert not has_listeners(uow.session.connection())
        uow.messages.append("s", "user")
    assert told == len(heard.facts)


def test_an_observer_that_fails_harms_nobody(ledger: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Observer):
        def appended(self, messages: int) -> None:
            raise RuntimeError(SECRET)

    heard = Heard()
    ledger.observe(Broken())
    ledger.observe(heard)
    with caplog.at_level(logging.WARNING, "chatledger"), ledger.begin() as uow:
        uow.messages.append(uow.sessions.create("s").session_id, "user")
    assert ("appended", 1) in heard.facts
    assert ["an observer failed"] == [record.getMessage() for record in caplog.records]
    assert SECRET not in repr([vars(record) for record in caplog.records])


def test_a_transaction_that_found_no_turn_is_busy(ledger: Ledger) -> None:
    heard = Heard()
    ledger.observe(heard)

    def refuse(*_: Any) -> None:
        raise InvalidInput("engine", "refused")

    event.listen(ledger.engine, "do_connect", refuse)
    ledger.engine.dispose()
    with suppress(InvalidInput), ledger.begin():
        raise AssertionError
    assert [("write", "failed")] == heard.facts


def test_prometheus_is_told_the_figures_and_no_text(ledger: Ledger) -> None:
    registry = CollectorRegistry()
    stop = prometheus.instrument(ledger, registry=registry, name="chat")
    with pytest.raises(Conflict, match="another name"):
        prometheus.instrument(ledger, registry=registry, name="chat")
    work(ledger)

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, {"ledger": "chat", **labels})

    assert 3 == value("chatledger_messages_appended_total")
    assert 1 == value("chatledger_transaction_seconds_count", mode="write", outcome="rolled back")
    assert (value("chatledger_transaction_wait_seconds_count", mode="read") or 0) >= 1
    assert (value("chatledger_statement_seconds_count", verb="INSERT") or 0) >= 2
    assert (1, 1, 0) == (
        value("chatledger_sweeps_total"),
        value("chatledger_swept_sessions_total", action="archived"),
        value("chatledger_swept_sessions_total", action="warned"),
    )
    with ledger.read():
        assert 1 == value("chatledger_pool_connections", state="in_use")
    assert ledger.pool_status()["max"] == value("chatledger_pool_connections", state="max")
    assert SECRET.encode() not in generate_latest(registry)
    stop()
    assert b'ledger="chat"' not in generate_latest(registry)
    prometheus.instrument(ledger, registry=registry, name="chat")()


def test_opentelemetry_is_told_the_figures_and_no_text(ledger: Ledger) -> None:
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    stop = opentelemetry.instrument(ledger, meter_provider=provider, name="chat")
    work(ledger)
    found = points(reader)
    assert [({"chatledger.name": "chat"}, 3)] == found["chatledger.messages.appended"]
    transactions = {(at["mode"], at["outcome"]): count for at, count in found["chatledger.transaction.duration"]}
    assert 1 == transactions["write", "rolled back"]
    verbs = {at["db.operation.name"]: count for at, count in found["db.client.operation.duration"]}
    assert verbs["INSERT"] >= 2
    assert {ledger.engine.dialect.name} == {at["db.system.name"] for at, _ in found["db.client.operation.duration"]}
    swept = {at["action"]: count for at, count in found["chatledger.sessions.swept"]}
    assert {"warned": 0, "idled": 0, "archived": 1, "failed": 0} == swept
    states = {at["db.client.connection.state"] for at, _ in found["db.client.connection.count"]}
    assert {"used", "idle"} == states
    assert SECRET not in repr(found)
    stop()
    assert "db.client.connection.count" not in points(reader)
    provider.shutdown()


def points(reader: InMemoryMetricReader) -> dict[str, list[tuple[dict[str, Any], float]]]:
    """Of each instrument the attributes with their value, or the count of a histogram."""
    data = reader.get_metrics_data()
    found: dict[str, list[tuple[dict[str, Any], float]]] = {}
    for resource in data.resource_metrics if data else ():
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                rows = [(dict(point.attributes or {}), _value(point)) for point in metric.data.data_points]
                if rows:
                    found[metric.name] = rows
    return found


def _value(point: Any) -> float:
    return float(point.count if hasattr(point, "count") else point.value)
