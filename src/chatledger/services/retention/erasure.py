"""Erasing a user: everything that is the user's, in every table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import and_, bindparam, delete, func, insert, literal, or_, select, union, update

from chatledger.dialects.types import Identifier, Timestamp, Whole
from chatledger.enums import Scope, StateScope, Status
from chatledger.errors import InvalidInput, SessionHeld
from chatledger.ids import new_id
from chatledger.models import tables
from chatledger.schemas import ErasureReceipt
from chatledger.schemas.fields import identifier, stated
from chatledger.services import audit
from chatledger.services.annotations import statements as annotation_statements
from chatledger.services.audit import audit_log
from chatledger.services.base import ServiceContext, logger
from chatledger.services.batches import erasure as batch_erasure
from chatledger.services.comparisons import statements as comparison_statements
from chatledger.services.metrics.statements import metrics
from chatledger.services.retention.purge import BATCH, batch_of
from chatledger.services.retention.traces import ERASED_USER, digest_of_user, is_known, states
from chatledger.services.rows import messages, sessions
from chatledger.services.sessions.deletion import delete_sessions
from chatledger.services.snapshots.statements import snapshots
from chatledger.services.timeouts.limits import defaults
from chatledger.services.timeouts.sweep import Run

ERASED = "session.erased"
# The entries with which a session ends.
_ENDS = (audit.SESSION_DELETED, "session.purged", ERASED)

# Of a message, what stays where totals are kept.
_KEPT = (
    "sequence_number", "role", "model_id", "input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens",
    "cache_write_tokens", "cache_write_1h_tokens", "unpriced_units", "service_tier", "tokens_used", "duration_ms", "cost",
    "priced_from", "priced_as", "outcome", "created_at",
)  # fmt: skip
_WORKFLOWS, _EXECUTIONS, _STEPS = tables.workflows, tables.workflow_executions, tables.workflow_steps
# Held sessions that an error names.
_NAMED = 10


@dataclass(frozen=True)
class Wanted:
    """Whom to erase, and how."""

    user_id: str
    keep_totals: bool
    include_held: bool
    reason: str | None


@dataclass
class _Sums:
    sessions: int = 0
    messages: int = 0
    snapshots: int = 0
    tokens: int = 0
    duration_ms: int = 0
    cost: Decimal = Decimal(0)

    def add(self, rows: Sequence[Any], snapshots: int) -> None:
        self.sessions += len(rows)
        self.snapshots += snapshots
        for row in rows:
            self.messages += row.message_count
            self.tokens += row.total_tokens
            self.duration_ms += row.total_duration_ms
            self.cost += row.total_cost


def wanted(owner: str | None, user_id: str, keep_totals: bool, include_held: bool, reason: str | None) -> Wanted:
    """What users ask for.

    Raises:
        InvalidInput: nobody, or another user than the owner.
    """
    if not identifier(user_id, "user_id"):
        raise InvalidInput("user_id", "must not be empty")
    if owner is not None and user_id != owner:
        raise InvalidInput("user_id", "is not the user that this ledger is limited to")
    return Wanted(user_id, keep_totals, include_held, stated(reason))


def erase(
    run: Run,
    wanted: Wanted,
    *,
    dry_run: bool = False,
    progress: Callable[[int, int], object] | None = None,
) -> ErasureReceipt:
    """Erase a user, a batch of sessions for each call of `run`. `progress` is told sessions and messages so far."""
    found = run(lambda context: _prepared(context, wanted))
    sums = _Sums()
    last: str | None = None
    while batch := run(lambda context, last=last: _batch(context, wanted, last, dry_run=dry_run)):  # type: ignore[misc]
        sums.add(*batch)  # outside of `run`, which may call what it is given several times
        last = batch[0][-1].session_id
        if progress is not None:
            progress(sums.sessions, sums.messages)
    at, entries = run(lambda context: _forget(context, wanted, sums, dry_run=dry_run))
    if not dry_run:
        logger.info("user erased", extra={"count": sums.sessions})
    return ErasureReceipt(
        user_id=wanted.user_id,
        at=at,
        dry_run=dry_run,
        found=found,
        sessions=sums.sessions,
        messages=sums.messages,
        snapshots=sums.snapshots,
        audit_entries=entries,
        totals={"tokens": sums.tokens, "duration_ms": sums.duration_ms, "cost": sums.cost},
        kept_totals=wanted.keep_totals,
    )


def _prepared(context: ServiceContext, wanted: Wanted) -> bool:
    """Refuse held sessions, and return whether the ledger knows the user."""
    if not wanted.include_held:
        _require_none_held(context, wanted)
    return is_known(context, wanted.user_id)


def _require_none_held(context: ServiceContext, wanted: Wanted) -> None:
    statement = select(sessions.c.session_id).where(_OF_USER, sessions.c.held_at.is_not(None)).limit(_NAMED)
    held = context.execute(statement, {"user": wanted.user_id}).scalars().all()
    if held:
        raise SessionHeld(tuple(held))


def _batch(
    context: ServiceContext, wanted: Wanted, last: str | None, *, dry_run: bool
) -> tuple[Sequence[Any], int] | None:
    """Erase some sessions, or with `dry_run` look at them; which they were and how many snapshots they had."""
    statement = select(*_FIGURES).where(_OF_USER)
    if dry_run and last is not None:
        statement = statement.where(sessions.c.session_id > last)
    if not wanted.include_held:
        statement = statement.where(sessions.c.held_at.is_(None))
    statement = statement.order_by(sessions.c.session_id).limit(BATCH)
    locked = statement if dry_run else statement.with_for_update()
    rows = batch_of(context.execute(locked, {"user": wanted.user_id}).all())
    if not rows:
        return None
    names = [row.session_id for row in rows]
    count = select(func.count()).select_from(snapshots).where(snapshots.c.session_id.in_(names))
    kept_snapshots = context.execute(count).scalar_one()
    if not dry_run:
        if wanted.keep_totals:
            for name in names:
                _keep_totals(context, name)
        batch_erasure.forget_words(context, names)
        comparison_statements.forget_texts(context, names)
        _forget_executions(context, _EXECUTIONS.c.execution_id.in_(_wrote(names)))
        delete_sessions(context, names, ERASED, reason=wanted.reason)
    return rows, kept_snapshots


def _keep_totals(context: ServiceContext, session_id: str) -> None:
    """A closed session without owner and text, with the same figures."""
    now = context.now()
    parameters = {"session": session_id, "new": new_id(), "now": now}
    context.execute(_KEEP_SESSION, parameters)
    context.execute(_KEEP_MESSAGES, parameters)


def _forget(context: ServiceContext, wanted: Wanted, sums: _Sums, *, dry_run: bool) -> tuple[datetime, int]:
    """Take the user's name out of what is left; when, and how many entries of the audit log named the user."""
    user = wanted.user_id
    # The user's sessions by their last entry, those that were gone before included. Entries of a time when such a session
    # was somebody else's keep whose it was, and not which.
    ended = select(audit_log.c.session_id).where(
        audit_log.c.user_id == user, audit_log.c.action.in_(_ENDS), audit_log.c.session_id != ""
    )
    theirs = union(ended, select(sessions.c.session_id).where(sessions.c.user_id == user)) if dry_run else ended
    strays = and_(audit_log.c.session_id.in_(theirs), audit_log.c.user_id.is_distinct_from(user))
    count = select(func.count()).select_from(audit_log)
    mine = or_(audit_log.c.user_id == user, audit_log.c.actor == user, strays)
    entries = int(context.execute(count.where(mine)).scalar_one())
    if dry_run:
        return context.now(), entries
    entries -= sums.sessions  # each deletion has just left one of its own
    comparison_statements.erase(context, user, ended)
    comparison_statements.forget_judge(context, user, f"erased {new_id()}")
    forked = update(sessions).where(sessions.c.forked_from.in_(ended))
    context.execute(forked.values(forked_from=None, forked_at=None))
    context.execute(update(sessions).where(sessions.c.parent_id.in_(ended)).values(parent_id=None))
    context.execute(delete(defaults).where(defaults.c.scope == Scope.USER, defaults.c.scope_id == user))
    context.execute(delete(states).where(states.c.scope == StateScope.USER, states.c.scope_id == user))
    batch_erasure.forget_jobs(context, user)
    annotation_statements.forget_author(context, user)
    context.execute(delete(metrics).where(metrics.c.user_id == user))
    context.execute(delete(_WORKFLOWS).where(_WORKFLOWS.c.user_id == user))
    _forget_executions(context, _EXECUTIONS.c.user_id == user)
    context.execute(update(snapshots).where(snapshots.c.actor == user).values(actor=None, reason=None))
    context.execute(update(audit_log).where(strays).values(session_id=None, reason=None))
    nobody = {"user_id": None, "session_id": None, "reason": None}
    context.execute(update(audit_log).where(audit_log.c.user_id == user).values(nobody))
    context.execute(update(audit_log).where(audit_log.c.actor == user).values(actor=None, reason=None))
    details = {
        "user": digest_of_user(user), "messages": sums.messages, "snapshots": sums.snapshots,
        "kept_totals": wanted.keep_totals,
    }  # fmt: skip
    audit.record(context, ERASED_USER, reason=wanted.reason, count=sums.sessions, details=details)
    return context.now(), entries


def _wrote(session_ids: Sequence[str]) -> Any:
    """The executions of which a step wrote one of these sessions: their inputs and outputs may repeat what it holds."""
    return select(_STEPS.c.execution_id).where(_STEPS.c.session_id.in_(list(session_ids)))


def _forget_executions(context: ServiceContext, which: Any) -> None:
    """Delete executions with their steps, also where foreign keys are not enforced."""
    found = context.execute(select(_EXECUTIONS.c.execution_id).where(which)).scalars().all()
    for table in (_STEPS, _EXECUTIONS):
        if found:
            context.execute(delete(table).where(table.c.execution_id.in_(found)))


_USER, _NEW = bindparam("user", type_=Identifier()), bindparam("new", type_=Identifier())
_NOW = bindparam("now", type_=Timestamp())
_OF_USER = sessions.c.user_id == _USER
_FIGURES = tuple(
    sessions.c[name] for name in ("session_id", "message_count", "total_tokens", "total_duration_ms", "total_cost")
)
_SESSION = bindparam("session", type_=Identifier())
_STAYS = ("project_id", "model_id", "created_at", "last_activity")
_KEEP_SESSION = insert(sessions).from_select(
    ["session_id", *_STAYS, "status", "archived_at", "updated_at"],
    select(
        _NEW, *(sessions.c[name] for name in _STAYS), literal(Status.ARCHIVED, sessions.c.status.type), _NOW, _NOW
    ).where(sessions.c.session_id == _SESSION),
    include_defaults=False,
)
# Copies of what is erased, so that a message is not counted twice where another user has a copy of it.
_KEEP_MESSAGES = insert(messages).from_select(
    ["session_id", "content", *_KEPT, "copied_from", "copied_sequence"],
    select(
        _NEW,
        literal(""),
        *(messages.c[name] for name in _KEPT),
        func.coalesce(messages.c.copied_from, messages.c.session_id, type_=Identifier()),
        func.coalesce(messages.c.copied_sequence, messages.c.sequence_number, type_=Whole),
    )
    .where(messages.c.session_id == _SESSION)
    .order_by(messages.c.sequence_number),
    include_defaults=False,
)
