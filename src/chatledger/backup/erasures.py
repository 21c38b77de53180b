"""What a restored ledger must not forget: whom the one before it had erased."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select

from chatledger.enums import Scope
from chatledger.models import tables
from chatledger.services.audit import audit_log
from chatledger.services.retention.traces import digest_of_user
from chatledger.services.rows import sessions
from chatledger.services.timeouts.limits import defaults

USER_ERASED = "user.erased"
RESTORED = "ledger.restored"

_KEPT = ("at", "action", "actor", "reason", "count", "details")


def erasures(connection: Connection) -> list[dict[str, Any]]:
    """What the audit log says of erased users, oldest first."""
    statement = (
        select(*(audit_log.c[name] for name in _KEPT))
        .where(audit_log.c.action == USER_ERASED)
        .order_by(audit_log.c.audit_id)
    )
    return [dict(row._mapping) for row in connection.execute(statement)]


def carry_over(connection: Connection, found: Sequence[dict[str, Any]]) -> int:
    """Add what another ledger's log says of erased users, where it is not there yet; how many entries were added."""
    known = {_identity(entry) for entry in erasures(connection)}
    missing = [entry for entry in found if _identity(entry) not in known]
    if missing:
        connection.execute(insert(audit_log), missing)
    return len(missing)


def returning(connection: Connection, replaced: Sequence[dict[str, Any]]) -> list[str]:
    """Users of this ledger who were erased, in it or in the one that it replaces.

    One who was erased in this very ledger and came back later is not meant: only sessions from before the erasure count.
    """
    own = {_digest(entry): entry["at"] for entry in erasures(connection)}
    others = {_digest(entry) for entry in replaced} - own.keys() - {None}
    if not own and not others:
        return []
    oldest = (
        select(sessions.c.user_id, func.min(sessions.c.created_at).label("oldest"))
        .where(sessions.c.user_id.is_not(None))
        .group_by(sessions.c.user_id)
    )
    found = set()
    for row in connection.execute(oldest):
        at = own.get(digest_of_user(row.user_id))
        if at is not None and row.oldest < at:
            found.add(row.user_id)
    found.update(name for name in _names(connection) if others and digest_of_user(name) in others)
    return sorted(found)


def note_restoration(connection: Connection, at: datetime, details: dict[str, Any]) -> None:
    """Write down that, and from what, the ledger was restored."""
    connection.execute(insert(audit_log).values(at=at, action=RESTORED, count=1, details=details))


def _names(connection: Connection) -> Iterator[str]:
    """Everybody whom a ledger names."""
    for statement in (
        select(sessions.c.user_id).distinct(),
        select(audit_log.c.user_id).distinct(),
        select(tables.workflows.c.user_id).distinct(),
        select(tables.workflow_executions.c.user_id).distinct(),
        select(audit_log.c.actor).distinct(),
        select(defaults.c.scope_id).where(defaults.c.scope == Scope.USER),
    ):
        yield from (name for name in connection.execute(statement).scalars() if name)


def _digest(entry: dict[str, Any]) -> str | None:
    details = entry["details"]
    return details.get("user") if isinstance(details, dict) else None


def _identity(entry: dict[str, Any]) -> tuple[Any, ...]:
    return (entry["at"], _digest(entry), entry["count"])
