"""Deleting sessions, with all that hangs on them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, update

from chatledger.models import tables
from chatledger.services import audit
from chatledger.services.base import ServiceContext
from chatledger.services.batches import erasure as batch_erasure
from chatledger.services.comparisons import statements as comparison_statements
from chatledger.services.messages import copies
from chatledger.services.rows import sessions

_CHILDREN = (
    tables.messages,
    tables.session_metadata,
    tables.session_timeouts,
    tables.session_snapshots,
    tables.session_usage,
    tables.annotations,
    tables.graph_checkpoints,
    tables.graph_writes,
)
_STEPS = tables.workflow_steps


def delete_sessions(context: ServiceContext, names: Sequence[str], action: str, *, reason: str | None) -> None:
    """Delete a bounded number of sessions that are locked. Their entries in the audit log get the name of an action."""
    if not names:
        return
    context.execute(delete(sessions).where(sessions.c.session_id.in_(list(names))))
    delete_children(context, names)
    audit.attribute_deletions(context, names, action, reason=reason)
    let_go(context, names)


def delete_children(context: ServiceContext, names: Sequence[str]) -> None:
    """What the foreign keys do, where an application's connection does not enforce them."""
    context.delete_dependents(_CHILDREN, names)


def let_go(context: ServiceContext, names: Sequence[str]) -> None:
    """What no foreign key could do: items, steps, comparisons and copies outlive the sessions that they name."""
    batch_erasure.release_sessions(context, names)
    context.execute(update(_STEPS).where(_STEPS.c.session_id.in_(list(names))).values(session_id=None))
    comparison_statements.sessions_deleted(context, names)
    copies.pass_on(context, names)
