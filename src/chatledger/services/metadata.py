"""Metadata of sessions: JSON values under keys."""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, delete, exists, select

from chatledger.dialects.encoding import encode_json
from chatledger.dialects.types import EncodedDocument, Timestamp
from chatledger.dialects.types import Identifier as Key
from chatledger.errors import MetadataNotFound, SessionNotFound
from chatledger.schemas.fields import Identifier, Input, identifier, validated
from chatledger.services.base import Service
from chatledger.services.rows import metadata, sessions
from chatledger.services.visibility import (
    SESSION_KEY,
    keep_session,
    require_visible,
    this_session,
    visibility_parameters,
)


class _Entry(Input):
    key: Identifier


_KEY = bindparam("key", type_=Key())
_OF_SESSION = (metadata.c.session_id == SESSION_KEY) & exists(select(1).where(this_session()))
_ALL = select(metadata.c.key, metadata.c.value).where(_OF_SESSION).order_by(metadata.c.key)
_ONE = select(metadata.c.value).where(_OF_SESSION, metadata.c.key == _KEY)
_DELETE = delete(metadata).where(_OF_SESSION, metadata.c.key == _KEY)
_SOURCE = keep_session(
    select(
        sessions.c.session_id, _KEY, bindparam("value", type_=EncodedDocument()), bindparam("now", type_=Timestamp())
    ).where(this_session())
)


class Metadata(Service):
    """Metadata of a session: JSON values under keys, such as tags, a channel or the version of a prompt."""

    __slots__ = ()

    def set(self, session_id: str, key: str, value: Any) -> None:
        """Store a JSON value under a key, and replace the value that was there.

        Works for closed sessions too, because tags and labels are often added later. Messages and context cannot be
        added to a closed session.

        Raises:
            SessionNotFound: no such session, or it belongs to another user.
            InvalidInput: the key is empty or too long, or the value cannot be stored as JSON.
        """
        identifier(session_id, "session_id")
        validated(_Entry, {"key": key})
        insert = self._context.dialect.insert(metadata)
        insert = insert.from_select(["session_id", "key", "value", "updated_at"], _SOURCE, include_defaults=False)
        statement = insert.on_conflict_do_update(
            index_elements=[metadata.c.session_id, metadata.c.key],
            set_={"value": insert.excluded.value, "updated_at": insert.excluded.updated_at},
        )
        statement = statement.returning(metadata.c.session_id)
        stored = {"key": key, "value": encode_json(value, "value"), "now": self._context.now()}
        if (
            self._context.execute(statement, {**visibility_parameters(self._context, session_id), **stored}).first()
            is None
        ):
            raise SessionNotFound(session_id)

    def get(self, session_id: str, key: str, default: Any = None) -> Any:
        """Return the value under a key, or the default if there is none.

        Raises:
            SessionNotFound: no such session, or it belongs to another user.
        """
        identifier(session_id, "session_id")
        parameters = {**visibility_parameters(self._context, session_id), "key": identifier(key, "key")}
        row = self._context.execute(_ONE, parameters).one_or_none()
        if row is None:
            require_visible(self._context, session_id)
            return default
        return row.value

    def all(self, session_id: str) -> dict[str, Any]:
        """Return every entry, by key.

        Raises:
            SessionNotFound: no such session, or it belongs to another user.
        """
        identifier(session_id, "session_id")
        found = {
            row.key: row.value for row in self._context.execute(_ALL, visibility_parameters(self._context, session_id))
        }
        if not found:
            require_visible(self._context, session_id)
        return found

    def delete(self, session_id: str, key: str) -> None:
        """Delete an entry.

        Raises:
            SessionNotFound: no such session, or it belongs to another user.
            MetadataNotFound: there is no entry under the key.
        """
        identifier(session_id, "session_id")
        parameters = {**visibility_parameters(self._context, session_id), "key": identifier(key, "key")}
        if self._context.change(_DELETE, parameters) == 0:
            require_visible(self._context, session_id)
            raise MetadataNotFound(session_id, key)
