"""Deleting sessions, with all that hangs on them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, update

from chatledger.models import Annotation, Message, SessionMetadata, SessionUsage, Snapshot, Timeout, WorkflowStep
from chatledger.models.base import table_of
from chatledger.services import audit, batch_forgetting, comparing, copies
from chatledger.services.rows import sessions
from chatledger.services.work import Work

_CHILDREN = tuple(map(table_of, (Message, SessionMetadata, Timeout, Snapshot, SessionUsage, Annotation)))
_STEPS = table_of(WorkflowStep)


def delete_sessions(work: Work, names: Sequence[str], action: str, *, reason: str | None) -> None:
    """Delete a bounded number of sessions that are locked. Their entries in the audit log get the name of an action."""
    if not names:
        return
    work.execute(delete(sessions).where(sessions.c.session_id.in_(list(names))))
    delete_children(work, names)
    audit.attribute_deletions(work, names, action, reason=reason)
    let_go(work, names)


def delete_children(work: Work, names: Sequence[str]) -> None:
    """What the foreign keys do, where an application's connection does not enforce them."""
    if not work.cascades():
        for table in _CHILDREN:
            work.execute(delete(table).where(table.c.session_id.in_(list(names))))


def let_go(work: Work, names: Sequence[str]) -> None:
    """What no foreign key could do: items, steps, comparisons and copies outlive the sessions that they name."""
    batch_forgetting.release_sessions(work, names)
    work.execute(update(_STEPS).where(_STEPS.c.session_id.in_(list(names))).values(session_id=None))
    comparing.sessions_deleted(work, names)
    copies.pass_on(work, names)
