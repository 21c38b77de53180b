"""Every model has relationships, which load nothing that is not asked for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import configure_mappers, joinedload, selectinload, with_loader_criteria

from chatledger import Ledger, models
from chatledger.models import Base
from tests.support.statements import counted_statements

EXPECTED: dict[str, set[str]] = {
    "Annotation": {"session"},
    "AuditEntry": set(),
    "BatchItem": {"job"},
    "BatchJob": {"items"},
    "ComparisonGroup": {"sessions", "results"},
    "ComparisonResult": {"group"},
    "ComparisonSession": {"group"},
    "GraphCheckpoint": {"session"},
    "GraphWrite": {"session"},
    "Message": {"session"},
    "Metric": set(),
    "Model": {"sessions", "prices"},
    "ModelPrice": {"model", "tiers"},
    "ModelPriceTier": {"price"},
    "Project": {"sessions"},
    "Session": {
        "messages", "metadata_entries", "timeout", "snapshots", "annotations", "graph_checkpoints", "graph_writes", "usage",
        "project", "model",
    },
    "SessionMetadata": {"session"},
    "SessionName": set(),
    "SessionUsage": {"session"},
    "State": set(),
    "Snapshot": {"session"},
    "Timeout": {"session"},
    "TimeoutDefault": set(),
    "Workflow": set(),
    "WorkflowExecution": {"steps"},
    "WorkflowStep": {"execution"},
}  # fmt: skip


def test_every_relationship_raises_where_it_was_not_loaded() -> None:
    configure_mappers()
    mappers = {mapper.class_.__name__: mapper for mapper in Base.registry.mappers}
    assert {name: set(mapper.relationships.keys()) for name, mapper in mappers.items()} == EXPECTED
    for mapper in mappers.values():
        for relation in mapper.relationships:
            assert "raise" == relation.lazy
            assert relation.uselist is False or relation.order_by


def filled(ledger: Ledger) -> None:
    with ledger.begin() as uow:
        uow.models.register("gpt", name="GPT")
        uow.projects.create("trips", name="Trips")
        for name in ("a", "b"):
            uow.sessions.create(name, model_id="gpt", project_id="trips", metadata={"z": 1, "k": 2}, idle_timeout=60)
            uow.messages.append_many(name, [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes"}])
            uow.snapshots.take(name)
            uow.annotations.add(name, label="good")


def test_collections_are_loaded_in_order_and_together(ledger: Ledger) -> None:
    filled(ledger)
    everything = [
        selectinload(models.Session.messages),
        selectinload(models.Session.metadata_entries),
        joinedload(models.Session.timeout),
        selectinload(models.Session.snapshots),
        selectinload(models.Session.annotations),
        selectinload(models.Session.usage),
        joinedload(models.Session.project),
        joinedload(models.Session.model),
    ]
    with ledger.orm() as session, counted_statements() as statements:
        found = session.scalars(select(models.Session).options(*everything).order_by(models.Session.session_id)).all()
    assert 6 == len([one for one in statements if one.startswith("SELECT")])
    for chat in found:
        assert [1, 2] == [message.sequence_number for message in chat.messages]
        assert ["k", "z"] == [entry.key for entry in chat.metadata_entries]
        assert chat.timeout is not None
        assert 60 == chat.timeout.idle_limit
        assert [1] == [snapshot.snapshot_number for snapshot in chat.snapshots]
        assert ["good"] == [note.label for note in chat.annotations]
        assert 2 == sum(used.messages for used in chat.usage)
        assert chat.project is not None
        assert chat.model is not None
        assert ("Trips", "GPT") == (chat.project.name, chat.model.name)


def test_loaded_rows_can_be_filtered_and_joined(ledger: Ledger) -> None:
    filled(ledger)
    answers = with_loader_criteria(models.Message, models.Message.role == "assistant")
    with ledger.orm() as session:
        chats = session.scalars(select(models.Session).options(selectinload(models.Session.messages), answers)).all()
        assert [["Yes"], ["Yes"]] == [[message.content for message in chat.messages] for chat in chats]
    with ledger.orm() as session:
        joined = select(models.Message).join(models.Message.session).where(models.Session.session_id == "b")
        assert [1, 2] == [message.sequence_number for message in session.scalars(joined)]
        projects = session.scalars(select(models.Project).options(selectinload(models.Project.sessions))).all()
        assert [["a", "b"]] == [[chat.session_id for chat in project.sessions] for project in projects]
        named = session.scalars(select(models.Model).options(selectinload(models.Model.sessions))).one()
        assert ["a", "b"] == [chat.session_id for chat in named.sessions]


def test_nothing_is_loaded_by_accident(ledger: Ledger) -> None:
    filled(ledger)
    with ledger.orm() as session:
        chat = session.get_one(models.Session, "a")
        with pytest.raises(InvalidRequestError, match="lazy"):
            _ = chat.messages
        message = session.get_one(models.Message, ("a", 1))
        with pytest.raises(InvalidRequestError, match="lazy"):
            _ = message.session


def test_roots_are_written_and_deleted_with_what_belongs_to_them(ledger: Ledger) -> None:
    now = datetime.now(UTC)
    stamps: dict[str, Any] = {"created_at": now}
    with ledger.orm() as session:
        job = models.BatchJob(
            job_id="j", max_attempts=1, backoff_ms=1, backoff_limit_ms=1, last_item=1, updated_at=now, **stamps
        )
        job.items.append(models.BatchItem(item_number=1, key="k", **stamps))
        group = models.ComparisonGroup(group_id="g", kind="model", variants=["x", "y"], **stamps)
        group.sessions.append(models.ComparisonSession(session_id="s", variant="x", **stamps))
        price = models.ModelPrice(effective_from=now, **stamps)
        session.add_all([job, group, models.Model(model_id="m", prices=[price], **stamps)])
        session.commit()
    with ledger.orm() as session:
        for model, key in ((models.BatchJob, "j"), (models.ComparisonGroup, "g"), (models.Model, "m")):
            session.delete(session.get_one(model, key))
        session.commit()
        for child in (models.BatchItem, models.ComparisonSession, models.ModelPrice):
            assert [] == session.scalars(select(child)).all()
