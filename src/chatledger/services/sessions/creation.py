"""The statements that make a session."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from pydantic_core import from_json
from sqlalchemy import bindparam

from chatledger.dialects.encoding import encode_json
from chatledger.dialects.types import wire
from chatledger.enums import Status
from chatledger.errors import SessionExists
from chatledger.full_text.parts import session_search_columns
from chatledger.schemas import NewSession, Session
from chatledger.services.base import ServiceContext
from chatledger.services.registry import registration
from chatledger.services.rows import metadata, sessions
from chatledger.services.timeouts import limits


def create(context: ServiceContext, new: NewSession) -> Session:
    """Insert a validated session with what hangs on it.

    Raises:
        SessionExists: the id is taken.
        InvalidInput: context or metadata cannot be stored as JSON.
    """
    assert new.session_id is not None
    now = context.now(new.created_at)
    entries = {key: encode_json(value, f"metadata.{key}") for key, value in (new.metadata or {}).items()}
    values: dict[str, Any] = {
        "session_id": new.session_id,
        "user_id": new.user_id,
        "project_id": new.project_id,
        "model_id": new.model_id,
        "title": new.title,
        "system_prompt": new.system_prompt,
        **session_search_columns(title=new.title, system_prompt=new.system_prompt),
        "status": Status.ACTIVE,
        "context": encode_json(new.context or {}, "context"),
        "created_at": now,
        "updated_at": now,
        "last_activity": now,
    }
    registration.register(context, new.project_id, new.model_id)
    bound = {name: bindparam(name, type_=wire(sessions.c[name].type)) for name in values}
    statement = (
        context.dialect.insert(sessions)
        .values(bound)
        .on_conflict_do_nothing(index_elements=[sessions.c.session_id])
        .returning(sessions.c.session_id)
    )
    if context.execute(statement, values).scalar_one_or_none() is None:
        raise SessionExists(new.session_id)
    if entries:
        rows = [
            {"session_id": new.session_id, "key": key, "value": value, "updated_at": now}
            for key, value in entries.items()
        ]
        context.insert_rows(metadata, rows)
    limits.begin(context, new, now)
    fields = {name: value for name, value in values.items() if name in Session.model_fields}
    return Session(
        **{**fields, "context": from_json(values["context"])},
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
