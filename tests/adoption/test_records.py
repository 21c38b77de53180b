"""Layout C: annotations, measurements, comparisons, batches and workflows become rows of the ledger's own."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chatledger import AdoptionFailed, Ledger
from chatledger.adoption import AdoptionReport, adopt
from chatledger.services.annotations.service import Annotations
from tests.adoption.old import LLM_SESSIONS, made, put
from tests.support.raw import Raw

AT = "2025-01-08 09:00:00"
MOMENT = datetime(2025, 1, 8, 9, tzinfo=UTC)
ROWS = "llm-sessions-rows"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "old.db"


@contextmanager
def manager(path: Path) -> Iterator[sqlite3.Connection]:
    """Two sessions of two messages each: numbers 10 and 20, messages 101 to 204."""
    with made(path, LLM_SESSIONS) as connection:
        put(connection, "projects", id=1, name="Reviews", created_at=AT)
        put(connection, "models", id=3, provider="openai", model_name="gpt-4")
        for number, name in ((10, "one"), (20, "two")):
            put(connection, "sessions", id=number, session_uuid=name, project_id=1, model_id=3, started_at=AT)
            for place, role in enumerate(("user", "assistant"), 1):
                put(
                    connection, "messages", id=number * 10 + place, message_uuid=f"{name}-{place}", session_id=number,
                    sequence_number=place, role=role, content=f"{name} {place}", timestamp=AT,
                )  # fmt: skip
        yield connection


def rows_kept(ledger: Ledger) -> list[tuple[str | None, int]]:
    with ledger.read() as uow:
        if uow.sessions.find(ROWS) is None:
            return []
        return [(m.name, m.payload["id"]) for m in uow.messages.history(ROWS)]


def fates(report: AdoptionReport, table: str) -> tuple[int, int, int, int]:
    found = next(found for found in report.tables if found.table == table)
    return found.copied, found.kept, found.already_there, found.left_out


def test_annotations_of_sessions_and_messages(path: Path, ledger: Ledger) -> None:
    with manager(path) as connection:
        put(
            connection, "annotations", id=1, annotation_uuid="u1", entity_type="message", entity_id=102, rating=5,
            annotation_type="rating", content="good", annotator="bob", created_at=AT, updated_at="2025-01-09 09:00:00",
            metadata='{"k": 1}',
        )  # fmt: skip
        put(connection, "annotations", id=2, entity_type="session", entity_id=10, content="said", created_at=AT)
        put(connection, "annotations", id=3, entity_type="message", entity_id=999, content="nowhere")
        put(connection, "annotations", id=4, entity_type="project", entity_id=1, content="of the project")
        put(connection, "annotations", id=5, entity_type="session", entity_id=20)
    report = adopt(ledger, path)
    with ledger.read() as uow:
        of_session, of_message = sorted(
            uow.annotations.list(session_id="one").items, key=lambda a: str(a.sequence_number), reverse=True
        )
        metadata = uow.sessions.get("one").metadata
    assert (2, "rating", 5, "good", "bob") == (
        of_message.sequence_number, of_message.label, of_message.score, of_message.text, of_message.author
    )  # fmt: skip
    assert (MOMENT, datetime(2025, 1, 9, 9, tzinfo=UTC)) == (of_message.created_at, of_message.updated_at)
    assert (1, "annotations:1", "u1") == (
        of_message.metadata["k"], of_message.metadata["adopted"]["source_id"],
        of_message.metadata["adopted"]["as_found"]["annotation_uuid"],
    )  # fmt: skip
    assert (None, "said") == (of_session.sequence_number, of_session.text)
    assert ["adopted"] == list(metadata)
    assert [("annotations", 3), ("annotations", 4), ("annotations", 5)] == rows_kept(ledger)
    assert (2, 3, 0, 0) == fates(report, "annotations")
    again = adopt(ledger, path)
    assert (0, 0, 5, 0) == fates(again, "annotations")
    with manager_again(path) as connection:
        put(connection, "annotations", id=6, entity_type="session", entity_id=10, content="later", created_at=AT)
    assert (1, 0, 5, 0) == fates(adopt(ledger, path), "annotations")


@contextmanager
def manager_again(path: Path) -> Iterator[sqlite3.Connection]:
    with made(path) as connection:
        yield connection


def test_annotations_of_messages_whose_session_is_gone(path: Path, tmp_path: Path, ledger: Ledger) -> None:
    with manager(path) as connection:
        put(connection, "messages", id=7, message_uuid="m7", session_id=77, sequence_number=1, role="user", content="x")
        put(connection, "annotations", id=1, entity_type="message", entity_id=7, content="lost and found")
        put(connection, "batch_jobs", id=1, job_uuid="j", created_at=AT)
        put(connection, "batch_items", id=1, batch_job_id=1, session_id=77, item_index=0, status="completed")
    with Ledger(f"sqlite:///{tmp_path / 'other.db'}") as other:
        report = adopt(other, path, orphans="drop")
        assert ((0, 1, 0, 0), (0, 0, 0, 1)) == (fates(report, "annotations"), fates(report, "batch_items"))
    adopt(ledger, path)
    with ledger.read() as uow:
        (annotation,) = uow.annotations.list(session_id="recovered-session-77").items
        assert (1, "lost and found") == (annotation.sequence_number, annotation.text)
        assert "recovered-session-77" == uow.batches.item("j", "0").session_id


def test_measurements(path: Path, ledger: Ledger) -> None:
    with manager(path) as connection:
        put(
            connection, "performance_metrics", id=1, metric_type="session", entity_type="session", entity_id=10,
            metric_name="latency", metric_value=12.5, metric_unit="ms", sample_count=3, recorded_at=AT,
        )  # fmt: skip
        for number, kind, key in ((2, "model", 3), (3, "project", 1), (4, "global", 1)):
            put(
                connection, "performance_metrics", id=number, entity_type=kind, entity_id=key, metric_name="latency",
                metric_value=number, recorded_at=AT,
            )  # fmt: skip
        for number, value, at in ((5, "n/a", AT), (6, float("inf"), AT), (7, 1.0, None)):
            put(connection, "performance_metrics", id=number, metric_name="m", metric_value=value, recorded_at=at)
    report = adopt(ledger, path)
    with ledger.read() as uow:
        found = {metric.metadata["adopted"]["source_id"][-1]: metric for metric in uow.metrics.list().items}
    assert {"1", "2", "3", "4"} == found.keys()
    first = found["1"]
    assert ("latency", 12.5, "ms", "one", MOMENT) == (first.name, first.value, first.unit, first.session_id, first.at)
    assert ("session", 3) == (first.metadata["metric_type"], first.metadata["sample_count"])
    assert ("openai/gpt-4", "Reviews") == (found["2"].model_id, found["3"].project_id)
    assert {"id": 4, "entity_type": "global", "entity_id": 1} == found["4"].metadata["adopted"]["as_found"]
    assert (4, 3, 0, 0) == fates(report, "performance_metrics")
    assert (0, 0, 7, 0) == fates(adopt(ledger, path), "performance_metrics")


def test_comparisons(path: Path, ledger: Ledger) -> None:
    with manager(path) as connection:
        put(
            connection,
            "comparison_groups",
            id=1,
            group_uuid="g",
            name="A or B",
            comparison_type="prompt",
            created_at=AT,
        )
        for session, variant in ((10, "A"), (20, "B")):
            put(
                connection, "comparison_sessions", comparison_group_id=1, session_id=session, variant_name=variant,
                created_at=AT,
            )  # fmt: skip
        results: list[tuple[int, int | None, str, Any, str | None, str | None]] = [
            (10, 102, "quality", 7.5, "score", "human"), (10, 102, "time", 850, "ms", "human"),
            (20, 202, "quality", 8.0, None, "llm_judge"), (20, 202, "quality", 9.0, None, "llm_judge"),
            (20, None, "quality", 3, None, None), (10, 102, "empty", None, None, "human"),
        ]  # fmt: skip
        for number, (session, message, name, value, unit, judge) in enumerate(results, 1):
            put(
                connection, "comparison_results", id=number, comparison_group_id=1, session_id=session,
                message_id=message, metric_name=name, metric_value=value, metric_unit=unit, evaluator=judge,
                evaluated_at=AT,
            )  # fmt: skip
    report = adopt(ledger, path)
    with ledger.read() as uow:
        group, members, found = uow.comparisons.get("g"), uow.comparisons.sessions("g"), [*uow.comparisons.results("g")]
    assert ("prompt", "A or B", ("A", "B"), MOMENT) == (group.kind, group.title, group.variants, group.created_at)
    assert [("one", "A", MOMENT), ("two", "B", MOMENT)] == [(m.session_id, m.variant, m.created_at) for m in members]
    assert [
        ("message 2", "A", "human", "person", 1, {"quality": 7.5, "time (ms)": 850}),
        ("message 2", "B", "llm_judge", "model", 1, {"quality": 8}),
        ("message 2", "B", "llm_judge", "model", 2, {"quality": 9}),
        ("session", "B", "unknown", "metric", 1, {"quality": 3}),
    ] == [(r.prompt_key, r.variant_a, r.judge, r.judge_kind, r.trial, r.scores_a) for r in found]
    assert {MOMENT} == {result.created_at for result in found}
    assert ((1, 0, 0, 0), (2, 0, 0, 0), (5, 1, 0, 0)) == tuple(
        fates(report, f"comparison_{name}") for name in ("groups", "sessions", "results")
    )
    again = adopt(ledger, path)
    assert ((0, 0, 1, 0), (0, 0, 2, 0), (0, 0, 6, 0)) == tuple(
        fates(again, f"comparison_{name}") for name in ("groups", "sessions", "results")
    )


def test_batches(path: Path, ledger: Ledger) -> None:
    with manager(path) as connection:
        put(
            connection, "batch_jobs", id=1, job_uuid="j", name="Summaries", project_id=1, model_id=3, status="running",
            input_data='["a", "b"]', job_type="standard", created_at=AT, metadata='{"k": 1}',
        )  # fmt: skip
        put(connection, "batch_jobs", id=2, job_uuid="done", status="completed", created_at=AT)
        put(connection, "batch_jobs", id=3, job_uuid="off", status="cancelled", created_at=AT)
        put(
            connection, "batch_items", id=1, batch_job_id=1, session_id=10, item_index=0, input_data='{"text": "a"}',
            status="completed", result_data='{"n": 1}', started_at=AT, completed_at="2025-01-08 10:00:00",
        )  # fmt: skip
        put(connection, "batch_items", id=2, batch_job_id=1, item_index=1, status="failed", error_message="timeout")
        put(connection, "batch_items", id=3, batch_job_id=1, item_index=2, input_data="no JSON")
        put(connection, "batch_items", id=4, batch_job_id=1, item_index=3, status="running")
        put(connection, "batch_items", id=5, batch_job_id=1, item_index=3, status="pending")
        put(connection, "batch_items", id=6, batch_job_id=2, session_id=99, item_index=0, status="completed")
        put(connection, "batch_items", id=7, batch_job_id=9, item_index=0, status="completed")
    report = adopt(ledger, path)
    with ledger.read() as uow:
        job, items = uow.batches.get("j"), uow.batches.items("j").items
        statuses = {name: uow.batches.get(name).status.value for name in ("j", "done", "off")}
    assert ("Summaries", MOMENT) == (job.name, job.created_at)
    assert (1, ["a", "b"], "Reviews", "openai/gpt-4", "batch_jobs:1", "standard") == (
        job.metadata["k"], job.metadata["input_data"], job.metadata["project"], job.metadata["model"],
        job.metadata["adopted"]["source_id"], job.metadata["adopted"]["as_found"]["job_type"],
    )  # fmt: skip
    assert {"j": "paused", "done": "open", "off": "cancelled"} == statuses
    assert [
        ("0", "done", {"text": "a"}, {"n": 1}, "one", None), ("1", "failed", None, None, None, "timeout"),
        ("2", "waiting", "no JSON", None, None, None), ("3", "waiting", None, None, None, None),
    ] == [(i.key, i.status, i.payload, i.result, i.session_id, i.error) for i in items]  # fmt: skip
    assert (MOMENT, datetime(2025, 1, 8, 10, tzinfo=UTC)) == (items[0].claimed_at, items[0].finished_at)
    assert [("batch_items", number) for number in (4, 5, 6, 7)] == rows_kept(ledger)
    assert ((3, 0, 0, 0), (3, 4, 0, 0)) == (fates(report, "batch_jobs"), fates(report, "batch_items"))
    again = adopt(ledger, path)
    assert ((0, 0, 3, 0), (0, 0, 7, 0)) == (fates(again, "batch_jobs"), fates(again, "batch_items"))
    assert [] == [f.kind for f in ledger.check().findings if f.severity == "defect"]


def test_workflows(path: Path, ledger: Ledger) -> None:
    steps = [{"id": "fetch", "depends_on": []}, {"id": "judge", "depends_on": ["fetch"], "retries": 3}]
    with manager(path) as connection:
        put(
            connection, "workflows", id=1, workflow_uuid="w", name="Pipeline", description="Two steps",
            workflow_definition=json.dumps({"steps": steps}), created_at=AT,
        )  # fmt: skip
        put(connection, "workflows", id=2, workflow_uuid="x", name="Broken", workflow_definition='{"nodes": []}')
        for number, status in enumerate(("completed", "failed", "running"), 1):
            put(
                connection, "workflow_executions", id=number, execution_uuid=f"e{number}", workflow_id=1, status=status,
                input_data='{"url": "u"}', started_at=AT, current_step="judge",
            )  # fmt: skip
        put(connection, "workflow_executions", id=4, execution_uuid="e4", workflow_id=2, started_at=AT)
        put(
            connection, "workflow_steps", id=1, workflow_execution_id=1, step_name="fetch", step_index=0, session_id=10,
            status="completed", input_data='{"a": 1}', output_data='{"ok": true}', started_at=AT, completed_at=AT,
        )  # fmt: skip
        put(
            connection,
            "workflow_steps",
            id=2,
            workflow_execution_id=1,
            step_name="judge",
            step_index=1,
            status="completed",
        )
        put(
            connection, "workflow_steps", id=3, workflow_execution_id=2, step_name="fetch", step_index=0, status="failed",
            error_message="timeout",
        )  # fmt: skip
        put(connection, "workflow_steps", id=4, workflow_execution_id=3, step_name="not planned", step_index=0)
    report = adopt(ledger, path)
    with ledger.read() as uow:
        version = uow.workflows.get("Pipeline")
        executions = {e.execution_id: e for e in uow.workflows.executions().items}
        found = {name: {s.step: s for s in uow.workflows.steps(name)} for name in executions}
    assert (1, MOMENT, "Two steps") == (version.version, version.created_at, version.definition.description)
    assert {"fetch": ("fetch", []), "judge": ("judge", ["fetch"])} == {
        name: (step.uses, step.needs) for name, step in version.definition.steps.items()
    }
    assert {"retries": 3} == version.definition.steps["judge"].with_
    assert {"e1": "succeeded", "e2": "failed", "e3": "pending"} == {n: e.state.value for n, e in executions.items()}
    assert ({"url": "u"}, MOMENT, 1) == (executions["e1"].input, executions["e1"].started_at, executions["e1"].version)
    fetch = found["e1"]["fetch"]
    assert ("succeeded", 1, {"a": 1}, {"ok": True}, "one") == (
        fetch.state, fetch.attempt, fetch.input, fetch.output, fetch.session_id
    )  # fmt: skip
    assert ("failed", "timeout", "pending") == (
        found["e2"]["fetch"].state, found["e2"]["fetch"].error, found["e2"]["judge"].state
    )  # fmt: skip
    assert {"fetch", "judge", "not_planned"} == found["e3"].keys()
    left = report.finding("workflow_left")
    assert left is not None
    assert ("x",) == left.examples
    assert [("workflows", 2), ("workflow_executions", 3), ("workflow_executions", 4), ("workflow_steps", 4)] == (
        rows_kept(ledger)
    )
    assert ((1, 1, 0, 0), (2, 2, 0, 0), (3, 1, 0, 0)) == tuple(
        fates(report, table) for table in ("workflows", "workflow_executions", "workflow_steps")
    )
    again = adopt(ledger, path)
    assert ((0, 0, 2, 0), (0, 0, 4, 0), (0, 0, 4, 0)) == tuple(
        fates(again, table) for table in ("workflows", "workflow_executions", "workflow_steps")
    )
    with ledger.begin() as uow:
        assert 1 == uow.workflows.get("Pipeline").version
        assert "pending" == uow.workflows.retry("e2").state


def test_ids_that_others_have(path: Path, ledger: Ledger) -> None:
    with manager(path) as connection:
        put(connection, "comparison_groups", id=1, group_uuid="g", name="Theirs", created_at=AT)
        put(connection, "batch_jobs", id=1, job_uuid="j", created_at=AT)
        put(connection, "workflows", id=1, workflow_uuid="w", name="W", workflow_definition='{"steps": ["a"]}')
        put(connection, "workflow_executions", id=1, execution_uuid="e", workflow_id=1, started_at=AT)
    with ledger.begin() as uow:
        uow.comparisons.create("g", title="Mine")
        uow.batches.create("j", name="Mine")
        uow.workflows.define({"name": "W", "steps": {"b": {"uses": "b"}}})
        uow.workflows.start("W", execution_id="e")
    for _ in range(2):
        adopt(ledger, path)
        with ledger.read() as uow:
            assert {"Mine", "Theirs"} == {group.title for group in uow.comparisons.list().items}
            assert 2 == len(uow.batches.list().items) == len(uow.workflows.executions().items)
            assert (2, {"a"}) == ((newest := uow.workflows.get("W")).version, set(newest.definition.steps))
            assert ("Mine", {"b"}) == (uow.batches.get("j").name, set(uow.workflows.execution("e").definition.steps))


def test_a_dry_run_says_the_same(path: Path, ledger: Ledger) -> None:
    with manager(path) as connection:
        put(connection, "annotations", id=1, entity_type="session", entity_id=10, content="x", created_at=AT)
        put(connection, "batch_jobs", id=1, job_uuid="j", created_at=AT)
        put(connection, "batch_items", id=1, batch_job_id=1, item_index=0)
    would = adopt(ledger, path, dry_run=True)
    assert would == adopt(ledger, path).model_copy(update={"dry_run": True})


def test_a_ledger_that_does_not_hold_what_it_was_given(
    path: Path, ledger: Ledger, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with manager(path) as connection:
        put(connection, "annotations", id=1, entity_type="session", entity_id=10, content="x", created_at=AT)
    add = Annotations.add
    monkeypatch.setattr(Annotations, "add", lambda self, name, **given: add(self, name, **{**given, "text": "y"}))
    with pytest.raises(AdoptionFailed, match="row 1 of 'annotations' does not equal its source"):
        adopt(ledger, path)
    assert [0, 0] == [Raw(url).count(table) for table in ("chatledger_sessions", "chatledger_annotations")]


def test_the_real_example(shared_data: Path, ledger: Ledger) -> None:
    report = adopt(ledger, shared_data / "legacy" / "llm-sessions.db")
    with ledger.read() as uow:
        jobs = {job.name: uow.batches.progress(job.job_id) for job in uow.batches.list().items}
        assert (21, 20, 3) == (
            uow.annotations.summary().count, len(uow.metrics.list().items), len(uow.comparisons.list().items)
        )  # fmt: skip
        assert {
            "Summarize Reviews 0": (12, 8, 4),
            "Summarize Reviews 1": (12, 9, 2),
            "Summarize Reviews 2": (12, 6, 3),
        } == {name: (progress.total, progress.done, progress.failed) for name, progress in jobs.items()}
        assert (2, 8) == (len(uow.workflows.list()), len(uow.workflows.executions().items))
    assert ((36, 0, 0, 0), (22, 0, 0, 0)) == (fates(report, "batch_items"), fates(report, "workflow_steps"))
    assert [] == [f.kind for f in ledger.check().findings if f.severity == "defect"]
