"""Counts sessions by status and by the limits that they have reached, for `timeouts.report`."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select

from chatledger.enums import OPEN, LimitKind, Status, SweepAction
from chatledger.schemas import TimeoutReport
from chatledger.services.base import ServiceContext
from chatledger.services.rows import sessions
from chatledger.services.timeouts.limits import timeouts
from chatledger.services.timeouts.policy import decide
from chatledger.services.timeouts.sweep import pages


def timeout_report(context: ServiceContext, now: datetime) -> TimeoutReport:
    """Count the sessions that may be seen, by status and by the limits that they have reached."""
    number, held_ones = func.count().label("number"), func.count(sessions.c.held_at).label("held")
    counts = select(sessions.c.status, number, held_ones).group_by(sessions.c.status)
    limited = select(func.count().label("number"), func.min(timeouts.c.next_check_at).label("next")).select_from(
        timeouts.join(sessions, sessions.c.session_id == timeouts.c.session_id)
    )
    limited = limited.where(sessions.c.status.in_(OPEN), timeouts.c.next_check_at.is_not(None))
    if context.owner is not None:
        counts = counts.where(sessions.c.user_id == context.owner)
        limited = limited.where(sessions.c.user_id == context.owner)
    by_status, held = dict.fromkeys(map(str, Status), 0), 0
    for row in context.execute(counts):
        by_status[row.status.value] = row.number
        held += row.held
    found = context.execute(limited).one()
    to_warn, reached = 0, dict.fromkeys(LimitKind, 0)
    for page in pages(lambda act: act(context), now):
        for candidate in page:
            decision = decide(candidate.state, now)
            if decision.action is SweepAction.WARN:
                to_warn += 1
            elif decision.limit is not None:
                reached[decision.limit] += 1
    return TimeoutReport(
        now=now,
        by_status=by_status,
        held=held,
        limited=found.number,
        to_warn=to_warn,
        at_idle_limit=reached[LimitKind.IDLE],
        at_archive_limit=reached[LimitKind.ARCHIVE],
        at_hard_limit=reached[LimitKind.HARD],
        next_check_at=found.next,
    )
