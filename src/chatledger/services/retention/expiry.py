"""Expiring the sessions in which nothing has happened for long: what a clean-up does."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, select, update

from chatledger.dialects.constructs import hour_of
from chatledger.dialects.types import Timestamp
from chatledger.enums import Status
from chatledger.errors import InvalidInput
from chatledger.services import audit
from chatledger.services.base import ServiceContext, logger
from chatledger.services.rows import sessions
from chatledger.services.sessions.listing import has_status
from chatledger.services.visibility import visible_to_owner

# Sessions that one statement names.
_BATCH = 500


def expire_inactive(
    context: ServiceContext, hours: float, now: datetime, *, limit: int | None, dry_run: bool, reason: str | None
) -> int:
    """Expire the open sessions that have been inactive for so many hours, so many at most; how many there are.

    Raises:
        InvalidInput: hours that are no positive number.
    """
    parameters = {"before": _before(now, hours), "owner": context.owner}
    owners: dict[str, str | None] = {}
    for overdue in _OVERDUE:
        statement = overdue if limit is None else overdue.limit(limit - len(owners))
        if not dry_run:
            statement = statement.with_for_update(key_share=True, skip_locked=True)
        owners |= {row.session_id: row.user_id for row in context.execute(statement, parameters).all()}
    if dry_run or not owners:
        return len(owners)
    names = list(owners)
    values: dict[str, Any] = {"status": Status.EXPIRED, "expired_at": now, "updated_at": now}
    for start in range(0, len(names), _BATCH):
        chosen = sessions.c.session_id.in_(names[start : start + _BATCH])
        context.execute(update(sessions).where(chosen).values(values))
    audit.record_many(context, "session.expired", owners, reason=reason or f"inactive for {hours:g} hours")
    logger.info("sessions expired", extra={"count": len(owners)})
    return len(owners)


def _before(now: datetime, hours: float) -> datetime:
    with suppress(TypeError, ValueError, ArithmeticError):  # the last: Decimal("NaN")
        if not isinstance(hours, bool) and hours > 0:
            try:
                return now - timedelta(hours=hours)
            except OverflowError:  # more than there ever were
                return datetime.min.replace(tzinfo=now.tzinfo)
    raise InvalidInput("hours", "must be a positive number of hours")


_BEFORE = bindparam("before", type_=Timestamp())
_LONG_INACTIVE = (
    select(sessions.c.session_id, sessions.c.user_id)
    .where(
        sessions.c.held_at.is_(None),
        # The minute is what the index holds; within it the exact time decides.
        sessions.c.activity_hour <= hour_of(_BEFORE),
        sessions.c.last_activity <= _BEFORE,
        visible_to_owner(),
    )
    .order_by(sessions.c.activity_hour)
)
# Closed sessions, of which there may be very many, are in neither of the two indexes.
_OVERDUE = (
    _LONG_INACTIVE.where(has_status(Status.ACTIVE)),
    _LONG_INACTIVE.where(has_status(Status.IDLE, Status.PAUSED)),
)
