"""Open sessions with limits that no sweep would look at, and forks of sessions that are gone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import exists, select

from chatledger.services.base import ServiceContext
from chatledger.services.rows import sessions
from chatledger.services.timeouts.policy import decide
from chatledger.services.timeouts.sweep import unscheduled


def forgotten(context: ServiceContext, now: datetime) -> Iterator[str]:
    """Open sessions whose limits will be reached, or have been, and that are not to be looked at again."""
    for state in unscheduled(context):
        decision = decide(state, now)
        if decision.action is not None or decision.columns.get("next_check_at") is not None:
            yield state.session_id


def rootless(context: ServiceContext) -> Iterator[str]:
    """Sessions that were copied from one that is gone."""
    yield from context.execute(_ROOTLESS).scalars()


_origin = sessions.alias("origin")
_ROOTLESS = (
    select(sessions.c.session_id)
    .where(
        sessions.c.forked_from.is_not(None),
        ~exists(select(1).where(_origin.c.session_id == sessions.c.forked_from)),
    )
    .order_by(sessions.c.session_id)
)
