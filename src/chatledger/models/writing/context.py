"""Who writes through a SQLAlchemy session, and at what time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session as OrmSession
from sqlalchemy.orm import object_session

from chatledger.clock import Clock, utc_now

CONTEXT = "chatledger_context"
"""The key in `Session.info`, and the execution option, that hold a `WriterContext`."""


@dataclass(frozen=True)
class WriterContext:
    """The owner that a session is limited to, or None, and the clock that new rows are stamped with."""

    owner: str | None = None
    clock: Clock = utc_now


# Of sessions that an application made itself.
_ANYBODY = WriterContext()


def context_of(session: OrmSession) -> WriterContext:
    """The context of a session: a ledger's, or one without an owner."""
    found = session.info.get(CONTEXT, _ANYBODY)
    assert isinstance(found, WriterContext)
    return found


def context_in(execution_options: Any) -> WriterContext:
    """The context of a statement."""
    found = execution_options.get(CONTEXT, _ANYBODY)
    assert isinstance(found, WriterContext)
    return found


def session_of(row: object) -> OrmSession:
    """The SQLAlchemy session that flushes an object."""
    session = object_session(row)
    assert session is not None
    return session
