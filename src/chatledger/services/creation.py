"""The statements that make a session."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from pydantic_core import from_json
from sqlalchemy import bindparam, literal, select

from chatledger.dialects.encoding import encode_json
from chatledger.dialects.types import Timestamp, wire
from chatledger.errors import SessionExists
from chatledger.models import Model, Project
from chatledger.models.base import table_of
from chatledger.schemas import NewSession, Session
from chatledger.services import limits
from chatledger.services.rows import metadata, sessions
from chatledger.services.work import Work
from chatledger.vocabulary import Status


def create(work: Work, new: NewSession) -> Session:
    """Insert a validated session with what hangs on it.

    Raises:
        SessionExists: the id is taken.
        InvalidInput: context or metadata have no JSON form.
    """
    assert new.session_id is not None
    now = work.now(new.created_at)
    entries = {key: encode_json(value, f"metadata.{key}") for key, value in (new.metadata or {}).items()}
    values: dict[str, Any] = {
        "session_id": new.session_id,
        "user_id": new.user_id,
        "project_id": new.project_id,
        "model_id": new.model_id,
        "title": new.title,
        "system_prompt": new.system_prompt,
        "status": Status.ACTIVE,
        "context": encode_json(new.context or {}, "context"),
        "created_at": now,
        "updated_at": now,
        "last_activity": now,
    }
    register(work, new.project_id, new.model_id)
    bound = {name: bindparam(name, type_=wire(sessions.c[name].type)) for name in values}
    statement = (
        work.dialect.insert(sessions)
        .values(bound)
        .on_conflict_do_nothing(index_elements=[sessions.c.session_id])
        .returning(sessions.c.session_id)
    )
    if work.execute(statement, values).scalar_one_or_none() is None:
        raise SessionExists(new.session_id)
    if entries:
        rows = [
            {"session_id": new.session_id, "key": key, "value": value, "updated_at": now}
            for key, value in entries.items()
        ]
        work.insert_rows(metadata, rows)
    limits.begin(work, new, now)
    return Session(
        **{**values, "context": from_json(values["context"])},
        metadata={key: from_json(value) for key, value in sorted(entries.items())},
        message_count=0,
        total_tokens=0,
        total_duration_ms=0,
        total_cost=Decimal(0),
        last_sequence=0,
        expired_at=None,
        archived_at=None,
        held_at=None,
        forked_from=None,
        forked_at=None,
    )


def register(work: Work, project_id: str | None, model_id: str | None) -> None:
    """Make the rows of names that a session refers to, where they are not there yet."""
    for table, key, name in (
        (table_of(Project), "project_id", project_id),
        (table_of(Model), "model_id", model_id),
    ):
        if name is None:
            continue
        column = table.c[key]
        # The SELECT keeps the usual case free of a write: names are many sessions old.
        absent = select(literal(name, column.type), literal(work.now(), Timestamp())).where(
            ~select(1).where(column == name).exists()
        )
        statement = work.dialect.insert(table).from_select([key, "created_at"], absent, include_defaults=False)
        work.execute(statement.on_conflict_do_nothing(index_elements=[column]))
