"""The audit log: who did what to sessions, when and why. Services and triggers add entries; they are only read here.

The triggers that record deletions by raw SQL also record what a service deletes; the service then writes its actor,
reason and time into that entry (`attribute`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, insert, select, tuple_, update
from sqlalchemy.sql import Select

from chatledger.dialects.encoding import encode_json
from chatledger.dialects.types import EncodedDocument, Identifier, Timestamp, Whole
from chatledger.models import tables
from chatledger.schemas import AuditEntry, Page
from chatledger.schemas.fields import identifier, moment
from chatledger.services.base import Service, ServiceContext
from chatledger.services.pagination import decode_moment_cursor, encode_cursor, limited
from chatledger.services.rows import sessions
from chatledger.services.visibility import this_session, visibility_parameters

audit_log = tables.audit_log

SESSION_DELETED = "session.deleted"
"""What a trigger calls the deletion of a session, and of messages."""
MESSAGES_DELETED = "messages.deleted"


class Audit(Service):
    """What was done, by whom, when and why."""

    __slots__ = ()

    def list(
        self,
        *,
        session_id: str | None = None,
        user_id: str | None = None,
        actor: str | None = None,
        action: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[AuditEntry]:
        """Return entries, newest first, at most 1,000 a page.

        `user_id` is the owner of the session, `actor` who made the change. `since` is the earliest time to include,
        `until` the first to exclude. A ledger that is limited to a user shows what was done to that user's sessions.

        Raises:
            InvalidInput: a cursor of another list, or a time without a time zone.
        """
        limit = limited(limit)
        statement: Select[Any] = select(*audit_log.c)
        wanted = {"session_id": session_id, "user_id": user_id, "actor": actor, "action": action}
        for name, value in wanted.items():
            if value is not None:
                statement = statement.where(audit_log.c[name] == identifier(value, name))
        if self._context.owner is not None:
            statement = statement.where(audit_log.c.user_id == self._context.owner)
        if since is not None:
            statement = statement.where(audit_log.c.at >= moment(since, "since"))
        if until is not None:
            statement = statement.where(audit_log.c.at < moment(until, "until"))
        if cursor is not None:
            at, number = decode_moment_cursor("audit", cursor, int)
            last = tuple_(bindparam("last_at", at, type_=Timestamp()), bindparam("last_id", number, type_=Whole))
            statement = statement.where(tuple_(audit_log.c.at, audit_log.c.audit_id) < last)
        statement = statement.order_by(audit_log.c.at.desc(), audit_log.c.audit_id.desc()).limit(limit + 1)
        found = [AuditEntry.model_validate(dict(row._mapping)) for row in self._context.execute(statement)]
        items = found[:limit]
        more = len(found) > limit
        return Page[AuditEntry](
            items=tuple(items),
            next_cursor=encode_cursor("audit", items[-1].at.isoformat(), items[-1].audit_id) if more else None,
        )


def record(
    context: ServiceContext,
    action: str,
    *,
    reason: str | None = None,
    count: int = 1,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Note an act that is about no single session."""
    context.execute(insert(audit_log), {**_facts(context, action, reason, count), "details": details})


def record_for(
    context: ServiceContext,
    session_id: str,
    action: str,
    *,
    reason: str | None = None,
    count: int = 1,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Note an act on a session that is still there."""
    written = None if details is None else encode_json(details, "details")
    parameters = {
        **visibility_parameters(context, session_id),
        **_facts(context, action, reason, count),
        "details": written,
    }
    context.execute(_RECORD, parameters)


def record_many(
    context: ServiceContext, action: str, owners: Mapping[str, str | None], *, reason: str | None = None
) -> None:
    """Note the same act on several sessions, given with whose they are."""
    if owners:
        shared = _facts(context, action, reason, 1)
        context.insert_rows(
            audit_log, [{**shared, "session_id": name, "user_id": user} for name, user in owners.items()]
        )


def attribute(context: ServiceContext, session_id: str, action: str, *, reason: str | None = None) -> None:
    """Write who, why and when into the row that a trigger has just added for a session."""
    facts = {"at": context.now(), "actor": context.actor, "reason": reason}
    context.execute(
        _ATTRIBUTE, {"session": session_id, "deed": action, **{f"new_{name}": facts[name] for name in facts}}
    )


def attribute_deletions(
    context: ServiceContext, session_ids: Sequence[str], action: str, *, reason: str | None = None
) -> None:
    """The same for the sessions that have just been deleted; their entries become another action."""
    those = audit_log.c.session_id.in_(list(session_ids)), audit_log.c.action == SESSION_DELETED
    newest = select(func.max(audit_log.c.audit_id)).where(*those).group_by(audit_log.c.session_id)
    statement = update(audit_log).where(*those, audit_log.c.audit_id.in_(newest))
    context.execute(statement.values(at=context.now(), actor=context.actor, reason=reason, action=action))


def _facts(context: ServiceContext, action: str, reason: str | None, count: int) -> dict[str, Any]:
    return {"at": context.now(), "action": action, "actor": context.actor, "reason": reason, "count": count}


_FACTS = ("at", "action", "actor", "reason", "count")
_RECORD = insert(audit_log).from_select(
    ["session_id", "user_id", *_FACTS, "details"],
    select(
        sessions.c.session_id,
        sessions.c.user_id,
        *(bindparam(name, type_=audit_log.c[name].type) for name in _FACTS),
        bindparam("details", type_=EncodedDocument()),
    ).where(this_session()),
    include_defaults=False,
)
_OF_SESSION = bindparam("session", type_=Identifier())
_DEED = bindparam("deed", type_=audit_log.c.action.type)
_ATTRIBUTE = (
    update(audit_log)
    .where(
        audit_log.c.session_id == _OF_SESSION,
        audit_log.c.audit_id
        == select(func.max(audit_log.c.audit_id))
        .where(audit_log.c.session_id == _OF_SESSION, audit_log.c.action == _DEED)
        .scalar_subquery(),
    )
    .values({name: bindparam(f"new_{name}", type_=audit_log.c[name].type) for name in ("at", "actor", "reason")})
)
