"""The statements that make a session."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any

from pydantic_core import from_json
from sqlalchemy import bindparam

from chatledger.dialects.base import Dialect
from chatledger.dialects.encoding import encode_json
from chatledger.dialects.types import wire
from chatledger.enums import Status
from chatledger.errors import SessionExists
from chatledger.full_text.parts import session_search_columns
from chatledger.schemas import NewSession, Session
from chatledger.services.base import Operation, ServiceContext
from chatledger.services.prepared import Prepared
from chatledger.services.registry import registration
from chatledger.services.rows import metadata, sessions
from chatledger.services.sessions import families, names
from chatledger.services.timeouts import limits


class Create(Operation[Session]):
    """A valid session to create, with its metadata and timeouts.

    Raises:
        InvalidInput: context or metadata cannot be stored as JSON.
    """

    __slots__ = ("entries", "new", "now", "values")

    def __init__(self, new: NewSession, now: datetime) -> None:
        assert new.session_id is not None
        self.new, self.now = new, now
        self.entries = {key: encode_json(value, f"metadata.{key}") for key, value in (new.metadata or {}).items()}
        self.values: dict[str, Any] = {
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
            "name": new.name,
            "parent_id": new.parent_id,
        }

    def statement(self, context: ServiceContext) -> tuple[Prepared, dict[str, Any]] | None:
        new = self.new
        if self.entries or new.project_id is not None or limits.has_own(new):
            return None
        if new.name is not None or new.parent_id is not None:
            return None
        if new.model_id is not None and not registration.is_registered(context.engine, new.model_id):
            return None
        return _insert(context.dialect, tuple(self.values)), self.values

    def result(self, rows: Sequence[Sequence[Any]]) -> Session:  # noqa: ARG002 - that there is one says enough
        return self._created()

    def _created(self) -> Session:
        values = self.values
        fields = {name: value for name, value in values.items() if name in Session.model_fields}
        return Session(
            **{**fields, "context": from_json(values["context"])},
            metadata={key: from_json(value) for key, value in sorted(self.entries.items())},
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

    def perform(self, context: ServiceContext) -> Session:
        """Create the session.

        Raises:
            SessionExists: the id is taken.
            SessionNameTaken: another session of the user and project has the name.
            SessionNotFound: no such parent.
            InvalidInput: a project or a parent of another user.
        """
        new, now = self.new, self.now
        session_id = new.session_id
        assert session_id is not None
        if new.parent_id is not None:
            user_id = families.owner_of_parent(context, new.parent_id)
            self.values["user_id"] = user_id if new.user_id is None else new.user_id
            families.require_same_user(user_id, self.values["user_id"])
        key = None if new.name is None else names.key_of(new.name, self.values["user_id"], new.project_id)
        entered = key is not None and names.enter(context, key, session_id)
        registration.register(context, new.project_id, new.model_id)
        rows = context.rows(_insert(context.dialect, tuple(self.values)), self.values)
        if not rows:
            if entered and key is not None:
                names.take_out(context, key, session_id)
            raise SessionExists(session_id)
        if self.entries:
            entries = [
                {"session_id": session_id, "key": entry, "value": value, "updated_at": now}
                for entry, value in self.entries.items()
            ]
            context.insert_rows(metadata, entries)
        limits.begin(context, new, now)
        return self._created()


@cache
def _insert(dialect: Dialect, names: tuple[str, ...]) -> Prepared:
    bound = {name: bindparam(name, type_=wire(sessions.c[name].type)) for name in names}
    statement = dialect.insert(sessions).values(bound)
    return Prepared(
        statement.on_conflict_do_nothing(index_elements=[sessions.c.session_id]).returning(sessions.c.session_id)
    )
