"""Annotations that a flush inserts: validated, and numbered within their sessions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, event, func, inspect, select

from chatledger.dialects import dialect_of
from chatledger.errors import InvalidInput, SessionNotFound
from chatledger.models.annotation import Annotation
from chatledger.models.base import table_of
from chatledger.models.writing.context import context_of, session_of
from chatledger.models.writing.locking import lock_in_order, sessions
from chatledger.schemas.fields import validated
from chatledger.schemas.observations import NewAnnotation

_annotations = table_of(Annotation)
# In `InstanceState.info`: the number that a flush gave, which stays on an object whose transaction was rolled back.
_NUMBERED = "chatledger_number"
# In `InstanceState.info`: the flush that has prepared the object.
_READY = "chatledger_ready"


def install() -> None:
    """Register the event."""
    event.listen(Annotation, "before_insert", _before_insert, propagate=True)


def _before_insert(_mapper: Any, connection: Connection, annotation: Annotation) -> None:
    session = session_of(annotation)
    flush = lock_in_order(session, connection)
    if inspect(annotation).info.get(_READY) is not flush:
        new = [one for one in session.new if isinstance(one, Annotation)]
        new.sort(key=lambda one: inspect(one).insert_order or 0)
        _prepare(connection, new, context_of(session).clock())
        for one in new:
            inspect(one).info[_READY] = flush


def _prepare(connection: Connection, new: Sequence[Annotation], now: datetime) -> None:
    """Validate and number all new annotations of the flush, under the locks of their sessions."""
    dialect, last = dialect_of(connection.dialect.name), {}
    for one in new:
        if one.session_id is None:
            raise InvalidInput("session_id", "is missing: give the annotation a session, or the id of one")
    for session_id in sorted({one.session_id for one in new}):
        if dialect.lock_row(connection, sessions, sessions.c.session_id == session_id, (sessions.c.status,)) is None:
            raise SessionNotFound(session_id)
        highest = select(func.coalesce(func.max(_annotations.c.annotation_number), 0))
        last[session_id] = connection.scalar(highest.where(_annotations.c.session_id == session_id)) or 0
    for one in new:
        _validate(one)
        info = inspect(one).info
        last[one.session_id] += 1
        if one.annotation_number not in (None, info.get(_NUMBERED), last[one.session_id]):
            raise InvalidInput(
                "annotation_number", f"is counted by chatledger: leave it out (the next is {last[one.session_id]})"
            )
        one.annotation_number = info[_NUMBERED] = last[one.session_id]
        if inspect(one).dict.get("created_at") is None:
            one.created_at = now
        if inspect(one).dict.get("updated_at") is None:
            one.updated_at = one.created_at


def _validate(annotation: Annotation) -> None:
    """Raise InvalidInput for what a service would not store."""
    given = {name: getattr(annotation, name) for name in NewAnnotation.model_fields if name != "metadata"}
    new = validated(NewAnnotation, {**given, "metadata": annotation.metadata_})
    if new.label is None and new.score is None and new.text is None:
        raise InvalidInput("annotation", "needs a label, a score or a text")
    annotation.label, annotation.score, annotation.text = new.label, new.score, new.text
    annotation.metadata_ = annotation.metadata_ or None
