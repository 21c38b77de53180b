"""How many statements every read sends, on both databases: its cost in round trips, whatever a machine is like.

Where a change makes a read dearer or cheaper, the number is changed with it, and the reason belongs into the commit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib import import_module
from inspect import getmembers, isfunction

import pytest

from chatledger import Ledger, UnitOfWork
from chatledger.unit_of_work import _SERVICES
from tests.support.flavors import open_ledger
from tests.support.once import ONE_FLAVOR
from tests.support.statements import counted_statements
from tests.support.templates import Copy

START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)

WRITES = """
sessions: archive create delete erase_user expire expire_older_than fail fork get_or_create hold mark_idle pause release
sessions: reopen resume update update_context
messages: append append_many clear delete pop redact truncate update
metadata: delete set
state: delete set update
timeouts: clear clear_default configure configure_default purge sweep warn
snapshots: delete restore take
projects: archive create delete unarchive update
models: add_alias archive import_prices price register remove_alias remove_price reprice unarchive update
metrics: purge record record_many
annotations: add add_many remove update vote
comparisons: add create delete import_results record record_many
batches: add cancel claim complete create delete fail heartbeat pause release resume retry_failed
workflows: cancel define delete retry start
"""

READS: dict[str, tuple[int | dict[str, int], Callable[[UnitOfWork], object]]] = {
    "sessions.count": (1, lambda uow: uow.sessions.count(user_id="ada")),
    "sessions.find": (1, lambda uow: uow.sessions.find("s")),
    "sessions.find_by_name": (1, lambda uow: uow.sessions.find_by_name("trip", user_id="ada", project_id="p")),
    "sessions.get": (1, lambda uow: uow.sessions.get("s")),
    "sessions.get_by_name": (1, lambda uow: uow.sessions.get_by_name("trip", user_id="ada", project_id="p")),
    "sessions.iterate": (1, lambda uow: list(uow.sessions.iterate())),
    "sessions.list": (1, lambda uow: uow.sessions.list(metadata={"k": 1})),
    "messages.find": (1, lambda uow: uow.messages.find("s", key="first")),
    "messages.get": (1, lambda uow: uow.messages.get("s", 1)),
    "messages.history": (1, lambda uow: uow.messages.history("s", last=2)),
    "messages.history of whole turns": (1, lambda uow: uow.messages.history("s", last=2, whole_turns=True)),
    "messages.iterate": (1, lambda uow: list(uow.messages.iterate("s"))),
    "messages.open_calls": (1, lambda uow: uow.messages.open_calls("s")),
    "messages.payloads": (1, lambda uow: uow.messages.payloads("s")),
    "metadata.all": (1, lambda uow: uow.metadata.all("s")),
    "metadata.get": (1, lambda uow: uow.metadata.get("s", "k")),
    "state.all": (1, lambda uow: uow.state.all(user_id="ada")),
    "state.find": (1, lambda uow: uow.state.find("k", user_id="ada")),
    "state.get": (1, lambda uow: uow.state.get("k", user_id="ada")),
    # On SQLite, the last number, the index, the messages that are not indexed yet, and what is shown of the hits.
    "search.messages": ({"sqlite": 4, "postgresql": 2}, lambda uow: uow.search.messages("lisbon")),
    "search.sessions": ({"sqlite": 7, "postgresql": 6}, lambda uow: uow.search.sessions("lisbon")),
    "timeouts.defaults": (1, lambda uow: uow.timeouts.defaults()),
    "timeouts.due": (1, lambda uow: uow.timeouts.due(END)),
    "timeouts.get": (1, lambda uow: uow.timeouts.get("s")),
    "timeouts.report": (3, lambda uow: uow.timeouts.report(END)),
    "snapshots.diff": (4, lambda uow: uow.snapshots.diff("s:1")),
    "snapshots.get": (1, lambda uow: uow.snapshots.get("s:1")),
    "snapshots.list": (1, lambda uow: uow.snapshots.list("s")),
    "snapshots.messages": (1, lambda uow: uow.snapshots.messages("s:1")),
    "audit.list": (1, lambda uow: uow.audit.list()),
    "projects.find": (1, lambda uow: uow.projects.find("p")),
    "projects.get": (1, lambda uow: uow.projects.get("p")),
    "projects.list": (1, lambda uow: uow.projects.list()),
    "models.find": (1, lambda uow: uow.models.find("m")),
    "models.get": (1, lambda uow: uow.models.get("m")),
    "models.list": (1, lambda uow: uow.models.list()),
    "models.price_at": (4, lambda uow: uow.models.price_at("m", END)),
    "models.prices": (3, lambda uow: uow.models.prices("m")),
    "statistics.activity": (3, lambda uow: uow.statistics.activity()),
    "statistics.by_day": (3, lambda uow: uow.statistics.by_day()),
    "statistics.by_hour": (3, lambda uow: uow.statistics.by_hour()),
    "statistics.by_model": (1, lambda uow: uow.statistics.by_model()),
    "statistics.by_month": (3, lambda uow: uow.statistics.by_month()),
    "statistics.by_project": (1, lambda uow: uow.statistics.by_project()),
    "statistics.by_role": (1, lambda uow: uow.statistics.by_role()),
    "statistics.by_session": (1, lambda uow: uow.statistics.by_session()),
    "statistics.by_user": (1, lambda uow: uow.statistics.by_user()),
    "statistics.by_week": (3, lambda uow: uow.statistics.by_week()),
    "statistics.compare": (2, lambda uow: uow.statistics.compare(since=START, until=END)),
    "statistics.context_use": (1, lambda uow: uow.statistics.context_use()),
    "statistics.errors": (1, lambda uow: uow.statistics.errors()),
    "statistics.latency": (1, lambda uow: uow.statistics.latency()),
    # SQLite is asked first whether messages have models of their own.
    "statistics.latency_by": ({"sqlite": 2, "postgresql": 1}, lambda uow: uow.statistics.latency_by("model")),
    "statistics.latency_by_day": (3, lambda uow: uow.statistics.latency_by_day()),
    "statistics.overview": (1, lambda uow: uow.statistics.overview()),
    "metrics.list": (1, lambda uow: uow.metrics.list("speed")),
    "metrics.names": (1, lambda uow: uow.metrics.names()),
    "metrics.series": (1, lambda uow: uow.metrics.series("speed")),
    "metrics.summary": (1, lambda uow: uow.metrics.summary()),
    "annotations.by_model": (2, lambda uow: uow.annotations.by_model()),
    "annotations.get": (3, lambda uow: uow.annotations.get(uow.annotations.list().items[0].annotation_id)),
    "annotations.list": (2, lambda uow: uow.annotations.list(session_id="s")),
    "annotations.search": (1, lambda uow: uow.annotations.search("fine")),
    "annotations.summary": (2, lambda uow: uow.annotations.summary()),
    "comparisons.get": (1, lambda uow: uow.comparisons.get("g")),
    "comparisons.list": (1, lambda uow: uow.comparisons.list()),
    "comparisons.pass_rates": (3, lambda uow: uow.comparisons.pass_rates("g", "good")),
    "comparisons.results": (2, lambda uow: list(uow.comparisons.results("g"))),
    "comparisons.sessions": (2, lambda uow: uow.comparisons.sessions("g")),
    "comparisons.summary": (3, lambda uow: uow.comparisons.summary("g")),
    "batches.get": (1, lambda uow: uow.batches.get("j")),
    "batches.item": (2, lambda uow: uow.batches.item("j", "one")),
    "batches.items": (2, lambda uow: uow.batches.items("j")),
    "batches.iterate": (3, lambda uow: list(uow.batches.iterate("j"))),
    "batches.list": (1, lambda uow: uow.batches.list()),
    "batches.progress": (4, lambda uow: uow.batches.progress("j")),
    "workflows.execution": (1, lambda uow: uow.workflows.execution("e")),
    "workflows.executions": (1, lambda uow: uow.workflows.executions()),
    "workflows.get": (1, lambda uow: uow.workflows.get("flow")),
    "workflows.list": (1, lambda uow: uow.workflows.list()),
    "workflows.output": (2, lambda uow: uow.workflows.output("e", "only")),
    "workflows.steps": (2, lambda uow: uow.workflows.steps("e")),
}


def fill(url: str) -> None:
    """Something of everything."""
    with Ledger(url) as ledger, ledger.begin() as uow:
        uow.projects.create("p")
        uow.models.price("m", input=2, output=8, effective_from=START)
        uow.timeouts.configure_default(idle_timeout=60)
        uow.sessions.create("s", user_id="ada", project_id="p", name="trip", title="Lisbon", metadata={"k": 1})
        uow.messages.append("s", "user", "Lisbon in May?", key="first")
        uow.messages.append("s", "assistant", "Yes.", model_id="m", input_tokens=8, output_tokens=2, duration_ms=5)
        uow.snapshots.take("s")
        uow.state.set("k", 1, user_id="ada")
        uow.metrics.record("speed", 1.5, session_id="s")
        uow.annotations.add("s", sequence_number=2, label="up", score=1.0, text="fine")
        uow.comparisons.create("g", variants=["a", "b"])
        uow.comparisons.add("g", "a", "s", prompt_key="q")
        uow.comparisons.record("g", "q", "a", judge="env", judge_kind="metric", scores_a={"good": 1.0})
        uow.batches.create("j", [{"key": "one"}])
        uow.workflows.define({"name": "flow", "steps": {"only": {"uses": "echo"}}})
        uow.workflows.start("flow", execution_id="e")


@pytest.fixture
def filled(copied: Copy, flavor: str) -> Iterator[Ledger]:
    with open_ledger(flavor, copied(fill)) as any_ledger:
        yield any_ledger


def public_methods() -> set[str]:
    services = {name: getattr(import_module(module), cls) for name, (module, cls) in _SERVICES.items()}
    return {
        f"{name}.{method}"
        for name, service in services.items()
        for method, _ in getmembers(service, isfunction)
        if not method.startswith("_")
    }


def test_every_method_of_every_service_is_a_read_here_or_a_write() -> None:
    writes = set()
    for line in WRITES.strip().splitlines():
        service, methods = line.split(": ")
        writes |= {f"{service}.{method}" for method in methods.split()}
    reads = {name.split()[0] for name in READS}
    assert not reads & writes
    assert public_methods() == reads | writes


@pytest.mark.parametrize("name", READS)
@ONE_FLAVOR
def test_a_read_is_as_many_statements_as_it_says(filled: Ledger, backend: str, name: str) -> None:
    expected, read = READS[name]
    with filled.read() as uow, counted_statements() as seen:
        read(uow)
    assert (expected[backend] if isinstance(expected, dict) else expected) == len(seen)
