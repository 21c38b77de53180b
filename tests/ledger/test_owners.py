"""A ledger of one user: to every method, what belongs to another user is not there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from chatledger import (
    AnnotationNotFound,
    BatchExists,
    BatchItem,
    BatchNotFound,
    ComparisonNotFound,
    ExecutionNotFound,
    InvalidInput,
    Ledger,
    ProjectNotFound,
    SessionExists,
    SessionNotFound,
    SnapshotNotFound,
    Status,
    UnitOfWork,
    WorkflowNotFound,
)
from tests.architecture.test_async_twins import methods, services
from tests.support.contents import contents
from tests.support.once import ONCE
from tests.support.raw import Raw
from tests.support.templates import Copy

THEIRS = "of bob"
FLOW = {"name": "flow", "steps": {"one": {"uses": "f"}}}
LATER = datetime.now(UTC) + timedelta(days=2)
"""When every session of `shared` is past its limits."""

NOT_FOUND: dict[str, Callable[[UnitOfWork], object]] = {
    "sessions.get": lambda uow: uow.sessions.get(THEIRS, include_expired=True),
    "sessions.get_by_name": lambda uow: uow.sessions.get_by_name(THEIRS, user_id="bob", include_expired=True),
    "sessions.update": lambda uow: uow.sessions.update(THEIRS, title="x", project_id="new project"),
    "sessions.update_context": lambda uow: uow.sessions.update_context(THEIRS, {"a": 1}),
    "sessions.pause": lambda uow: uow.sessions.pause(THEIRS),
    "sessions.resume": lambda uow: uow.sessions.resume(THEIRS),
    "sessions.mark_idle": lambda uow: uow.sessions.mark_idle(THEIRS),
    "sessions.archive": lambda uow: uow.sessions.archive(THEIRS),
    "sessions.expire": lambda uow: uow.sessions.expire(THEIRS),
    "sessions.fail": lambda uow: uow.sessions.fail(THEIRS),
    "sessions.reopen": lambda uow: uow.sessions.reopen(THEIRS),
    "sessions.hold": lambda uow: uow.sessions.hold(THEIRS),
    "sessions.release": lambda uow: uow.sessions.release(THEIRS),
    "sessions.delete": lambda uow: uow.sessions.delete(THEIRS),
    "sessions.fork": lambda uow: uow.sessions.fork(THEIRS, at=1),
    "messages.append": lambda uow: uow.messages.append(THEIRS, "user", "hello", key="k"),
    "messages.append_many": lambda uow: uow.messages.append_many(THEIRS, [{"role": "user", "key": "k"}]),
    "state.get": lambda uow: uow.state.get("k", session_id=THEIRS),
    "state.find": lambda uow: uow.state.find("k", session_id=THEIRS),
    "state.all": lambda uow: uow.state.all(session_id=THEIRS),
    "state.set": lambda uow: uow.state.set("k", 1, session_id=THEIRS),
    "state.update": lambda uow: uow.state.update({"k": 1}, session_id=THEIRS),
    "state.delete": lambda uow: uow.state.delete("k", session_id=THEIRS),
    "messages.update": lambda uow: uow.messages.update(THEIRS, 1, content="changed"),
    "messages.delete": lambda uow: uow.messages.delete(THEIRS, 1),
    "messages.truncate": lambda uow: uow.messages.truncate(THEIRS, after=1),
    "messages.payloads": lambda uow: uow.messages.payloads(THEIRS),
    "messages.open_calls": lambda uow: uow.messages.open_calls(THEIRS),
    "messages.history": lambda uow: uow.messages.history(THEIRS, last=1),
    "messages.iterate": lambda uow: list(uow.messages.iterate(THEIRS)),
    "messages.get": lambda uow: uow.messages.get(THEIRS, 1),
    "messages.find": lambda uow: uow.messages.find(THEIRS, key="k"),
    "messages.pop": lambda uow: uow.messages.pop(THEIRS),
    "messages.clear": lambda uow: uow.messages.clear(THEIRS),
    "messages.redact": lambda uow: uow.messages.redact(THEIRS, 1),
    "metadata.set": lambda uow: uow.metadata.set(THEIRS, "k", 1),
    "metadata.get": lambda uow: uow.metadata.get(THEIRS, "k"),
    "metadata.all": lambda uow: uow.metadata.all(THEIRS),
    "metadata.delete": lambda uow: uow.metadata.delete(THEIRS, "k"),
    "timeouts.configure": lambda uow: uow.timeouts.configure(THEIRS, idle_timeout=1),
    "timeouts.clear": lambda uow: uow.timeouts.clear(THEIRS),
    "timeouts.get": lambda uow: uow.timeouts.get(THEIRS),
    "models.reprice": lambda uow: uow.models.reprice(session_id=THEIRS),
    "snapshots.take": lambda uow: uow.snapshots.take(THEIRS),
    "snapshots.list": lambda uow: uow.snapshots.list(THEIRS),
    "statistics.overview": lambda uow: uow.statistics.overview(session_id=THEIRS),
    "statistics.latency": lambda uow: uow.statistics.latency(session_id=THEIRS),
    "statistics.latency_by_day": lambda uow: uow.statistics.latency_by_day(session_id=THEIRS),
    "statistics.by_hour": lambda uow: uow.statistics.by_hour(session_id=THEIRS),
    "statistics.activity": lambda uow: uow.statistics.activity(session_id=THEIRS),
    "statistics.compare": lambda uow: uow.statistics.compare(session_id=THEIRS, since=LATER, until=LATER),
    "annotations.add": lambda uow: uow.annotations.add(THEIRS, label="bad"),
    "annotations.vote": lambda uow: uow.annotations.vote(THEIRS, "up", author="ada"),
    "annotations.add_many": lambda uow: uow.annotations.add_many(THEIRS, [{"label": "bad"}]),
    "metrics.record": lambda uow: uow.metrics.record("n", 1, session_id=THEIRS),
    "metrics.record_many": lambda uow: uow.metrics.record_many([{"name": "n", "value": 1, "session_id": THEIRS}]),
}
"""Every method that is about one session, called on another user's."""
NO_SNAPSHOT: dict[str, Callable[[UnitOfWork, str], object]] = {
    "snapshots.get": lambda uow, snapshot: uow.snapshots.get(snapshot),
    "snapshots.messages": lambda uow, snapshot: uow.snapshots.messages(snapshot),
    "snapshots.diff": lambda uow, snapshot: uow.snapshots.diff(snapshot),
    "snapshots.restore": lambda uow, snapshot: uow.snapshots.restore(snapshot, as_session_id="mine now"),
    "snapshots.delete": lambda uow, snapshot: uow.snapshots.delete(snapshot),
}
"""Every method that is about one snapshot."""
NO_BATCH: dict[str, Callable[[UnitOfWork, BatchItem], object]] = {
    "batches.add": lambda uow, item: uow.batches.add("bob's", [{"key": "x"}]),
    "batches.get": lambda uow, item: uow.batches.get("bob's"),
    "batches.claim": lambda uow, item: uow.batches.claim("bob's", worker="w"),
    "batches.heartbeat": lambda uow, item: uow.batches.heartbeat(item),
    "batches.complete": lambda uow, item: uow.batches.complete(item),
    "batches.fail": lambda uow, item: uow.batches.fail(item, "x"),
    "batches.release": lambda uow, item: uow.batches.release(item),
    "batches.pause": lambda uow, item: uow.batches.pause("bob's"),
    "batches.resume": lambda uow, item: uow.batches.resume("bob's"),
    "batches.cancel": lambda uow, item: uow.batches.cancel("bob's"),
    "batches.retry_failed": lambda uow, item: uow.batches.retry_failed("bob's"),
    "batches.progress": lambda uow, item: uow.batches.progress("bob's"),
    "batches.item": lambda uow, item: uow.batches.item("bob's", "k"),
    "batches.items": lambda uow, item: uow.batches.items("bob's"),
    "batches.iterate": lambda uow, item: list(uow.batches.iterate("bob's")),
    "batches.delete": lambda uow, item: uow.batches.delete("bob's"),
}
"""Every method that is about one job, called on another user's, with an item of it."""
NO_ANNOTATION: dict[str, Callable[[UnitOfWork, str], object]] = {
    "annotations.get": lambda uow, annotation: uow.annotations.get(annotation),
    "annotations.update": lambda uow, annotation: uow.annotations.update(annotation, score=1),
    "annotations.remove": lambda uow, annotation: uow.annotations.remove(annotation),
}
"""Every method that is about one annotation."""
NO_COMPARISON: dict[str, Callable[[UnitOfWork, str], object]] = {
    "comparisons.get": lambda uow, group: uow.comparisons.get(group),
    "comparisons.add": lambda uow, group: uow.comparisons.add(group, "a", "of ada"),
    "comparisons.sessions": lambda uow, group: uow.comparisons.sessions(group),
    "comparisons.record": lambda uow, group: uow.comparisons.record(group, "p", "a", "b", judge="j", replace=True),
    "comparisons.record_many": lambda uow, group: uow.comparisons.record_many(group, []),
    "comparisons.results": lambda uow, group: list(uow.comparisons.results(group)),
    "comparisons.summary": lambda uow, group: uow.comparisons.summary(group),
    "comparisons.import_results": lambda uow, group: uow.comparisons.import_results(group, []),
    "comparisons.pass_rates": lambda uow, group: uow.comparisons.pass_rates(group, "reward"),
    "comparisons.delete": lambda uow, group: uow.comparisons.delete(group),
}
"""Every method that is about one comparison."""
NO_WORKFLOW: dict[str, Callable[[UnitOfWork], object]] = {
    "workflows.get": lambda uow: uow.workflows.get("flow"),
    "workflows.start": lambda uow: uow.workflows.start("flow"),
}
"""Every method that is about one workflow or execution."""
NO_EXECUTION: dict[str, Callable[[UnitOfWork], object]] = {
    "workflows.execution": lambda uow: uow.workflows.execution("run"),
    "workflows.steps": lambda uow: uow.workflows.steps("run"),
    "workflows.output": lambda uow: uow.workflows.output("run", "one"),
    "workflows.cancel": lambda uow: uow.workflows.cancel("run"),
    "workflows.retry": lambda uow: uow.workflows.retry("run"),
    "workflows.delete": lambda uow: uow.workflows.delete("run"),
}
NOTHING: dict[str, Callable[[UnitOfWork], object]] = {
    "sessions.find": lambda uow: uow.sessions.find(THEIRS, include_expired=True),
    "sessions.find_by_name": lambda uow: uow.sessions.find_by_name(THEIRS, user_id="bob", include_expired=True),
    "sessions.iterate": lambda uow: [session.session_id for session in uow.sessions.iterate(user_id="bob")],
    "sessions.count": lambda uow: uow.sessions.count(user_id="bob"),
    "sessions.list": lambda uow: [session.session_id for session in uow.sessions.list(user_id="bob")],
    "search.messages": lambda uow: list(uow.search.messages("secret", session_id=THEIRS)),
    "search.sessions": lambda uow: list(uow.search.sessions("secret", user_id="bob")),
    "timeouts.defaults": lambda uow: uow.timeouts.defaults(),
    "timeouts.due": lambda uow: [due.session_id for due in uow.timeouts.due(LATER) if due.user_id != "ada"],
    "statistics.by_model": lambda uow: uow.statistics.by_model(user_id="bob"),
    "statistics.by_project": lambda uow: uow.statistics.by_project(user_id="bob"),
    "statistics.by_user": lambda uow: [one for one in uow.statistics.by_user() if one.key != "ada"],
    "statistics.by_role": lambda uow: uow.statistics.by_role(user_id="bob"),
    "statistics.by_session": lambda uow: [one for one in uow.statistics.by_session() if one.key != "of ada"],
    "statistics.by_day": lambda uow: uow.statistics.by_day(user_id="bob"),
    "statistics.by_week": lambda uow: uow.statistics.by_week(user_id="bob"),
    "statistics.by_month": lambda uow: uow.statistics.by_month(user_id="bob"),
    "statistics.latency_by": lambda uow: uow.statistics.latency_by("user", user_id="bob"),
    "statistics.errors": lambda uow: uow.statistics.errors(user_id="bob"),
    "statistics.context_use": lambda uow: uow.statistics.context_use(user_id="bob"),
    "batches.list": lambda uow: list(uow.batches.list()) + list(uow.batches.list(user_id="bob")),
    "annotations.list": lambda uow: [each for each in uow.annotations.list() if each.session_id != "of ada"],
    "annotations.search": lambda uow: [hit for hit in uow.annotations.search("secret") if hit.session_id != "of ada"],
    "annotations.by_model": lambda uow: sum(each.count for each in uow.annotations.by_model()) - 1,
    "annotations.summary": lambda uow: uow.annotations.summary().count - 1,
    "metrics.list": lambda uow: list(uow.metrics.list(session_id=THEIRS)) + list(uow.metrics.list(user_id="bob")),
    "metrics.series": lambda uow: uow.metrics.series("of bob"),
    "metrics.summary": lambda uow: uow.metrics.summary("of bob"),
    "metrics.names": lambda uow: [name for name in uow.metrics.names() if name == "of bob"],
    "metrics.purge": lambda uow: uow.metrics.purge(older_than=0, name="of bob", dry_run=True),
    "comparisons.list": lambda uow: list(uow.comparisons.list()),
    "audit.list": lambda uow: list(uow.audit.list(session_id=THEIRS)) + list(uow.audit.list(user_id="bob")),
    "workflows.list": lambda uow: uow.workflows.list(),
    "workflows.executions": lambda uow: list(uow.workflows.executions()),
}
"""The rest, with what another user's session is to them."""
OTHERWISE = {
    "sessions.create", "sessions.get_or_create", "sessions.expire_older_than", "sessions.erase_user", "timeouts.configure_default",
    "timeouts.clear_default", "timeouts.warn", "timeouts.sweep", "timeouts.report", "timeouts.purge",
    "batches.create",
    "comparisons.create",
    "models.get", "models.find", "models.list", "models.prices", "models.price_at",
    "workflows.define",
}  # fmt: skip
"""Tested below in their own words."""
SHARED: dict[str, tuple[str, Callable[[UnitOfWork], object]]] = {
    "projects.create": ("project_id", lambda uow: uow.projects.create("new")),
    "projects.update": ("project_id", lambda uow: uow.projects.update("p", name="x")),
    "projects.archive": ("project_id", lambda uow: uow.projects.archive("p")),
    "projects.unarchive": ("project_id", lambda uow: uow.projects.unarchive("p")),
    "projects.delete": ("project_id", lambda uow: uow.projects.delete("p")),
    "models.register": ("model_id", lambda uow: uow.models.register("m", notes="x")),
    "models.update": ("model_id", lambda uow: uow.models.update("m", notes="x")),
    "models.archive": ("model_id", lambda uow: uow.models.archive("m")),
    "models.unarchive": ("model_id", lambda uow: uow.models.unarchive("m")),
    "models.price": ("model_id", lambda uow: uow.models.price("m", input=1)),
    "models.remove_price": ("model_id", lambda uow: uow.models.remove_price("m", LATER)),
    "models.add_alias": ("alias", lambda uow: uow.models.add_alias("a", "m")),
    "models.remove_alias": ("alias", lambda uow: uow.models.remove_alias("a")),
    "models.import_prices": ("rows", lambda uow: uow.models.import_prices([])),
}
"""What changes that which all users share, with the argument that a refusal names."""
PROJECTS: dict[str, Callable[[UnitOfWork], object]] = {
    "projects.get": lambda uow: uow.projects.get("p").project_id,
    "projects.find": lambda uow: (found := uow.projects.find("p")) and found.project_id,
    "projects.list": lambda uow: "".join(project.project_id for project in uow.projects.list()),
}
"""Projects are seen by those whose sessions are in them."""


def fill(url: str) -> None:
    with Ledger(url) as ledger, ledger.begin() as uow:
        for name, user in (("of ada", "ada"), (THEIRS, "bob"), ("of nobody", None)):
            uow.sessions.create(
                name, user_id=user, name=name, metadata={"k": "secret"}, idle_timeout=3600, hard_timeout=7200
            )
            uow.messages.append(name, "user", "a secret word", key="k")
            uow.messages.append(name, "user", "and more", key="l")
            uow.snapshots.take(name)
            uow.annotations.add(name, label="bad", text="secret")
            uow.metrics.record(name, 1, session_id=name)
            uow.sessions.hold(name)
            uow.sessions.release(name)
        uow.timeouts.configure_default(user_id="bob")
        uow.batches.create("bob's", [{"key": "k", "payload": "secret"}], user_id="bob")
        uow.comparisons.create("bob's", variants=["a", "b"], user_id="bob")
        uow.comparisons.create("nobody's", variants=["a", "b"])
        uow.comparisons.record("bob's", "p", "a", "b", judge="j", preference=1)
        uow.workflows.define(FLOW, user_id="bob")
        uow.workflows.start("flow", user_id="bob", execution_id="run")


@pytest.fixture
def url(copied: Copy) -> str:
    """In this file, a database with what several users have; `any_ledger` and `raw` are on it."""
    return copied(fill)


@pytest.fixture
def shared(any_ledger: Ledger) -> Ledger:
    return any_ledger


def test_every_method_of_every_service_has_a_case_here() -> None:
    every = {f"{name}.{method}" for name, service in services(UnitOfWork).items() for method in methods(service)}
    refused = (NOT_FOUND, NO_SNAPSHOT, NO_BATCH, NO_ANNOTATION, NO_COMPARISON, NO_WORKFLOW, NO_EXECUTION)
    seen = NOTHING.keys() | OTHERWISE | SHARED.keys() | PROJECTS.keys()
    assert every == {name for cases in refused for name in cases} | seen


def test_another_users_workflow_is_not_found_and_not_touched(shared: Ledger, raw: Raw) -> None:
    before = contents(raw)
    for cases, error in ((NO_WORKFLOW, WorkflowNotFound), (NO_EXECUTION, ExecutionNotFound)):
        for act in cases.values():
            with pytest.raises(error), shared.for_user("ada").begin() as uow:
                act(uow)
    with pytest.raises(InvalidInput, match="user_id"), shared.for_user("ada").begin() as uow:
        uow.workflows.define(FLOW, user_id="bob")
    assert before == contents(raw)


def test_ones_workflows_are_ones_own(shared: Ledger) -> None:
    with shared.for_user("ada").begin() as uow:
        assert ("ada", 1) == ((mine := uow.workflows.define(FLOW)).user_id, mine.version)
        assert "ada" == uow.workflows.start("flow", execution_id="mine").user_id
        assert ["mine"] == [one.execution_id for one in uow.workflows.executions()]


def test_another_users_id_is_taken_and_nothing_of_it_is_shown(shared: Ledger, raw: Raw) -> None:
    before = contents(raw)
    acts: tuple[Callable[[UnitOfWork], object], ...] = (
        lambda uow: uow.sessions.create(THEIRS),
        lambda uow: uow.sessions.get_or_create(THEIRS, title="mine"),
    )
    for act in acts:
        with pytest.raises(SessionExists, match="'of bob'"), shared.for_user("ada").begin() as uow:
            act(uow)
    assert before == contents(raw)


def test_another_users_session_is_not_found_and_not_touched(shared: Ledger, raw: Raw) -> None:
    before = contents(raw)
    for name, act in NOT_FOUND.items():
        with pytest.raises(SessionNotFound) as caught, shared.for_user("ada").begin() as uow:
            act(uow)
        assert (THEIRS, "no session 'of bob'") == (caught.value.session_id, str(caught.value)), name
    assert before == contents(raw)


def test_nobody_changes_what_all_share_through_a_ledger_of_ones_own(shared: Ledger, raw: Raw) -> None:
    with shared.begin() as uow:
        uow.projects.create("p")
        uow.models.price("m", input=1, effective_from=LATER)
    before = contents(raw)
    for name, (field, act) in SHARED.items():
        with pytest.raises(InvalidInput) as caught, shared.for_user("ada").begin() as uow:
            act(uow)
        assert field == caught.value.field, name
    assert before == contents(raw)
    with shared.for_user("ada").read() as uow:
        assert ["m"] == [model.model_id for model in uow.models.list()]
        assert [uow.models.price_at("m", LATER)] == uow.models.prices("m")


def test_a_project_is_seen_by_those_whose_sessions_are_in_it(shared: Ledger) -> None:
    with shared.begin() as uow:
        uow.sessions.update(THEIRS, project_id="p")
    for name, look in PROJECTS.items():
        with shared.for_user("bob").read() as uow:
            assert "p" == look(uow), name
        with shared.for_user("ada").read() as uow:
            if name == "projects.get":
                with pytest.raises(ProjectNotFound):
                    look(uow)
            else:
                assert not look(uow), name


def test_nobody_joins_a_project_of_others(shared: Ledger) -> None:
    """The ways into a project: a new session, a change of one, and the ORM (tests/orm)."""
    with shared.begin() as uow:
        uow.projects.create("vicproj", name="Merger", description="secret", metadata={"price": 7})
        uow.projects.create("empty", name="Nobody's")
        uow.sessions.create("of vic", user_id="vic", project_id="vicproj")
    mal = shared.for_user("mal")
    mine = mal.run(lambda uow: uow.sessions.create(project_id="own")).session_id
    ways: list[Callable[[], object]] = [
        lambda: mal.run(lambda uow: uow.sessions.create(project_id="vicproj")),
        lambda: mal.run(lambda uow: uow.sessions.create(project_id="empty")),
        lambda: mal.run(lambda uow: uow.sessions.get_or_create("x", project_id="vicproj")),
        lambda: mal.run(lambda uow: uow.sessions.update(mine, project_id="vicproj")),
    ]
    for way in ways:
        with pytest.raises(InvalidInput) as caught:
            way()
        assert "project_id" == caught.value.field
        assert not any(word in str(caught.value) for word in ("vic", "Merger", "secret"))
    with mal.read() as uow:
        assert uow.projects.find("vicproj") is None
        assert ["own"] == [project.project_id for project in uow.projects.list().items]
        assert [mine] == [one.session_id for one in uow.sessions.list().items]
    # A new project can be used again, also within the transaction that named it first.
    with mal.begin() as uow:
        for name in ("a", "b"):
            uow.sessions.create(name, project_id="fresh")
        uow.sessions.update(mine, project_id="fresh")
    assert "fresh" == mal.run(lambda uow: uow.sessions.create(project_id="fresh")).project_id
    # Whoever is not limited decides who belongs to a project.
    shared.run(lambda uow: uow.sessions.create(user_id="mal", project_id="vicproj"))
    with mal.read() as uow:
        assert "Merger" == uow.projects.get("vicproj").name
    assert "vicproj" == mal.run(lambda uow: uow.sessions.create(project_id="vicproj")).project_id


def test_one_prices_ones_own_messages_and_no_others(shared: Ledger) -> None:
    with shared.begin() as uow:
        for name in ("of ada", THEIRS):
            uow.messages.append(name, "assistant", model_id="m", input_tokens=1_000_000)
        uow.models.price("m", input=1, effective_from="2020-01-01")
    assert 1 == shared.for_user("ada").reprice().filled
    with shared.read() as uow:
        assert (Decimal(1), Decimal(0)) == (uow.sessions.get("of ada").total_cost, uow.sessions.get(THEIRS).total_cost)


def test_another_users_snapshot_is_not_found_and_not_touched(shared: Ledger, raw: Raw) -> None:
    before = contents(raw)
    for name, act in NO_SNAPSHOT.items():
        for snapshot in (f"{THEIRS}:1", f"{THEIRS}:2", "nobody:1"):  # there, not there, nowhere
            with pytest.raises(SnapshotNotFound) as caught, shared.for_user("ada").begin() as uow:
                act(uow, snapshot)
            assert (snapshot, f"no snapshot {snapshot!r}") == (caught.value.snapshot_id, str(caught.value)), name
    assert before == contents(raw)


def test_another_users_batch_is_not_found_and_not_touched(shared: Ledger, raw: Raw) -> None:
    item = shared.run(lambda uow: uow.batches.claim("bob's", worker="w"))[0]
    before = contents(raw)
    for name, act in NO_BATCH.items():
        with pytest.raises(BatchNotFound) as caught, shared.for_user("ada").begin() as uow:
            act(uow, item)
        assert ("bob's", 'no batch "bob\'s"') == (caught.value.job_id, str(caught.value)), name
    with pytest.raises(BatchNotFound):
        shared.for_user("ada").run_batch("bob's", lambda item: item.key)
    assert before == contents(raw)


def test_ones_batches_are_ones_own(shared: Ledger) -> None:
    view = shared.for_user("ada")
    with view.begin() as uow:
        for user in ("bob", "nobody"):
            with pytest.raises(InvalidInput) as caught:
                uow.batches.create(user_id=user)
            assert "user_id" == caught.value.field
        with pytest.raises(BatchExists):  # a taken id is taken, whoever has it
            uow.batches.create("bob's")
        assert "ada" == uow.batches.create("hers", [{"key": "k"}]).user_id
        assert ["hers"] == [job.job_id for job in uow.batches.list()]
        item = uow.batches.claim("hers", worker="w")[0]
        with pytest.raises(SessionNotFound):
            uow.batches.complete(item, session_id=THEIRS)
        uow.batches.release(item)
    assert 1 == view.run_batch("hers", lambda item: item.key).done


def test_another_users_annotation_is_not_found_and_not_touched(shared: Ledger, raw: Raw) -> None:
    before = contents(raw)
    for name, act in NO_ANNOTATION.items():
        for annotation in (f"{THEIRS}:1", f"{THEIRS}:2", "nobody:1"):
            with pytest.raises(AnnotationNotFound) as caught, shared.for_user("ada").begin() as uow:
                act(uow, annotation)
            assert f"no annotation {annotation!r}" == str(caught.value), name
    assert before == contents(raw)


def test_another_users_session_is_as_one_that_never_was(shared: Ledger) -> None:
    """The same error, word for word: nothing tells whether the session exists."""
    with shared.begin() as uow:
        uow.sessions.delete("of nobody")
    with shared.for_user("ada").begin() as uow:
        found = []
        for name in (THEIRS, "of nobody"):
            with pytest.raises(SessionNotFound) as caught:
                uow.sessions.get(name)
            found.append(str(caught.value).replace(name, "it"))
    assert found[0] == found[1]


def test_another_users_session_is_nowhere_to_be_seen(shared: Ledger) -> None:
    with shared.for_user("ada").read() as uow:
        assert dict.fromkeys(NOTHING) == {name: look(uow) or None for name, look in NOTHING.items()}


def test_of_lists_and_searches_only_ones_own_is_left(shared: Ledger) -> None:
    for user, name in (("ada", "of ada"), ("bob", THEIRS)):
        with shared.for_user(user).read() as uow:
            assert [name] == [session.session_id for session in uow.sessions.list()]
            assert [name] == [session.session_id for session in uow.sessions.list(user_id=user)]
            assert [name] == [hit.session_id for hit in uow.search.messages("secret")]
            assert [name] == [hit.session_id for hit in uow.search.sessions("secret")]
    with shared.for_user("carol").read() as uow:
        assert [] == list(uow.sessions.list())
        assert [] == list(uow.search.messages("secret"))


def test_what_is_ones_own_can_be_used(shared: Ledger) -> None:
    with shared.for_user("ada").begin() as uow:
        assert 3 == uow.messages.append("of ada", "user", "mine").sequence_number
        assert 4 == uow.messages.append_many("of ada", [{"role": "user"}])[0].sequence_number
        assert "ada" == uow.sessions.fork("of ada", new_session_id="fork").user_id
        uow.metadata.set("of ada", "k", 2)
        assert {"k": 2} == uow.metadata.all("of ada")
        assert "new" == uow.sessions.update("of ada", title="new", user_id="ada").title
        assert [1, 2, 3, 4] == [message.sequence_number for message in uow.messages.iterate("of ada")]
        assert 4 == uow.messages.pop("of ada").sequence_number
        uow.sessions.delete("of ada")
        assert ["fork"] == [session.session_id for session in uow.sessions.list()]


def test_another_users_comparison_is_not_found_and_not_touched(shared: Ledger, raw: Raw) -> None:
    before = contents(raw)
    for name, act in NO_COMPARISON.items():
        for group in ("bob's", "nobody's", "nowhere"):
            with pytest.raises(ComparisonNotFound) as caught, shared.for_user("ada").begin() as uow:
                act(uow, group)
            assert f"no comparison {group!r}" == str(caught.value), name
    assert before == contents(raw)


def test_ones_comparison_is_ones_own_and_takes_no_session_of_another(shared: Ledger) -> None:
    with shared.for_user("ada").begin() as uow:
        assert "ada" == uow.comparisons.create("hers", variants=["a"]).user_id
        with pytest.raises(InvalidInput, match="user_id"):
            uow.comparisons.create(user_id="bob")
        with pytest.raises(SessionNotFound):
            uow.comparisons.add("hers", "a", THEIRS)
        uow.comparisons.add("hers", "a", "of ada")
    with shared.begin() as uow, pytest.raises(SessionNotFound):
        uow.comparisons.add("hers", "a", THEIRS)


def test_time_passes_for_ones_own_sessions_only(shared: Ledger) -> None:
    view = shared.for_user("ada")
    with view.begin() as uow:
        report = uow.timeouts.report(LATER)
        assert ({"active": 1}, 1, 1) == (
            {status: number for status, number in report.by_status.items() if number},
            report.limited,
            report.at_hard_limit,
        )
        dry = uow.timeouts.sweep(dry_run=True, now=LATER)
        assert ["of ada"] == [due.session_id for due in dry.sessions]
        assert ["of ada"] == [
            due.session_id for due in uow.timeouts.warn(now=datetime.now(UTC) + timedelta(minutes=56))
        ]
        assert dry.sessions == uow.timeouts.sweep(now=LATER).sessions
        assert 0 == uow.timeouts.purge(older_than=0, status=[*Status][:3], now=LATER).sessions
        assert 1 == uow.timeouts.purge(older_than=0, now=LATER, dry_run=True).sessions
        assert 1 == uow.timeouts.purge(older_than=0, now=LATER).sessions
        assert 0 == uow.sessions.expire_older_than(1, now=LATER)
    with shared.read() as uow:
        statuses = {session.session_id: session.status for session in uow.sessions.list(status=list(Status))}
        assert {THEIRS: "active", "of nobody": "active"} == statuses
    assert 1 == shared.for_user("bob").run(lambda uow: uow.sessions.expire_older_than(1, now=LATER))


def test_ones_defaults_are_ones_own(shared: Ledger) -> None:
    with shared.for_user("ada").begin() as uow:
        uow.timeouts.configure_default(idle_timeout=120)
        mine = uow.timeouts.configure_default(user_id="ada")
        assert ("user", "ada", timedelta(minutes=2)) == (mine.scope, mine.scope_id, mine.idle_timeout)
        assert [mine] == uow.timeouts.defaults()
        for refused in (uow.timeouts.configure_default, uow.timeouts.clear_default):
            for user, project in (("bob", None), (None, "p")):
                with pytest.raises(InvalidInput) as caught:
                    refused(user_id=user, project_id=project)
                assert "user_id" == caught.value.field
        assert uow.timeouts.clear_default()
        assert not uow.timeouts.clear_default()
    with shared.read() as uow:
        assert ["bob"] == [default.scope_id for default in uow.timeouts.defaults()]


def test_one_erases_oneself_and_nobody_else(shared: Ledger, raw: Raw) -> None:
    before = contents(raw)
    for user in ("bob", "nobody"):
        with shared.for_user("ada").begin() as uow, pytest.raises(InvalidInput) as caught:
            uow.sessions.erase_user(user)
        assert "user_id" == caught.value.field
    assert before == contents(raw)
    with shared.for_user("ada").begin() as uow:
        assert (1, 2) == ((receipt := uow.sessions.erase_user("ada")).sessions, receipt.messages)
        assert [] == list(uow.sessions.list())
        assert [] == list(uow.audit.list())
    with shared.read() as uow:
        assert {THEIRS, "of nobody"} == {session.session_id for session in uow.sessions.list()}


def test_the_trail_shows_what_was_done_to_ones_own(shared: Ledger) -> None:
    with shared.begin(actor="bob") as uow:
        uow.sessions.archive("of ada")
        uow.sessions.archive(THEIRS)
    for user, name in (("ada", "of ada"), ("bob", THEIRS)):
        with shared.for_user(user).read() as uow:
            entries = list(uow.audit.list())
            assert {(name, user)} == {(entry.session_id, entry.user_id) for entry in entries}
            assert ["session.archived", "session.released", "session.held"] == [entry.action for entry in entries]
            assert entries[:1] == list(uow.audit.list(actor="bob"))


def test_what_one_creates_is_ones_own(shared: Ledger) -> None:
    with shared.for_user("ada").begin() as uow:
        assert "ada" == uow.sessions.create("new").user_id
        assert "ada" == uow.sessions.create(user_id="ada").user_id
    with shared.for_user("bob").read() as uow:
        assert uow.sessions.find("new") is None


def test_nobody_creates_for_or_gives_to_another(shared: Ledger, raw: Raw) -> None:
    before = contents(raw)
    with shared.for_user("ada").begin() as uow:
        with pytest.raises(InvalidInput, match="user_id"):
            uow.sessions.create(user_id="bob")
        with pytest.raises(InvalidInput, match="user_id"):
            uow.sessions.update("of ada", user_id="bob")
        with pytest.raises(InvalidInput, match="user_id"):
            uow.sessions.update("of ada", user_id=None)
    assert before == contents(raw)


def test_a_taken_id_is_taken_whoever_has_it(shared: Ledger) -> None:
    with shared.for_user("ada").begin() as uow:
        with pytest.raises(SessionExists):
            uow.sessions.create(THEIRS)
        with pytest.raises(SessionExists):
            uow.sessions.fork("of ada", new_session_id=THEIRS)


def test_a_cursor_of_another_user_shows_nothing_of_theirs(shared: Ledger) -> None:
    with shared.begin() as uow:
        for number in range(4):
            uow.sessions.create(f"bob {number}", user_id="bob")
    with shared.for_user("bob").read() as uow:
        cursor = uow.sessions.list(limit=1).next_cursor
    with shared.for_user("ada").read() as uow:
        assert {"of ada"} >= {session.session_id for session in uow.sessions.list(cursor=cursor)}


def test_run_is_limited_too(shared: Ledger) -> None:
    with pytest.raises(SessionNotFound):
        shared.for_user("ada").run(lambda uow: uow.sessions.get(THEIRS))


@pytest.mark.parametrize("user", ["", None, 5, b"ada", "\x00", "\ud800"])
@ONCE
def test_a_ledger_is_limited_to_somebody(any_ledger: Ledger, user: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        any_ledger.for_user(user)
    assert "user_id" == caught.value.field
