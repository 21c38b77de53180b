"""How full the context windows of sessions are."""

from __future__ import annotations

from sqlalchemy import ColumnElement, func, literal, select

from chatledger.dialects.constructs import read_before
from chatledger.dialects.types import Whole
from chatledger.models import tables
from chatledger.schemas.statistics import ContextUse
from chatledger.services.base import ServiceContext
from chatledger.services.rows import messages, sessions
from chatledger.services.statistics.calendar import quarter
from chatledger.services.statistics.filters import MessageFilter, is_original, model_of, times_of
from chatledger.services.statistics.measures import usage

_models = tables.models


def _written_in(message_filter: MessageFilter) -> list[ColumnElement[bool]]:
    """The sessions with any message in the quarter-hours of the filter's time, so that the others are not read."""
    quarters = []
    if message_filter.since is not None:
        quarters.append(usage.c.quarter >= literal(quarter(message_filter.since), Whole))
    if message_filter.until is not None:
        quarters.append(usage.c.quarter <= literal(quarter(message_filter.until), Whole))
    return [sessions.c.session_id.in_(select(usage.c.session_id).where(*quarters))] if quarters else []


def fullest(context: ServiceContext, message_filter: MessageFilter, limit: int) -> list[ContextUse]:
    """The sessions whose newest request filled most of the window, the fullest first."""
    inner = messages.alias("newest")
    newest = (
        select(inner.c.sequence_number)
        .where(inner.c.session_id == sessions.c.session_id, inner.c.input_tokens.is_not(None))
        .where(*([] if message_filter.include_copies else [is_original(inner)]))
        .order_by(inner.c.sequence_number.desc())
        .limit(1)
        .correlate(sessions)
        .scalar_subquery()
    )
    tokens = messages.c.input_tokens + func.coalesce(messages.c.output_tokens, 0)
    # Millionths: whole numbers sort alike on both databases.
    share = tokens * literal(10**6, Whole) // _models.c.context_window
    statement = (
        select(
            sessions.c.session_id,
            sessions.c.title,
            _models.c.model_id,
            _models.c.context_window,
            tokens.label("tokens"),
        )
        .select_from(
            sessions.join(
                messages,
                # Never message by message: there are many more of them than sessions.
                (messages.c.session_id == read_before(sessions.c.session_id)) & (messages.c.sequence_number == newest),
            ).join(_models, _models.c.model_id == model_of(messages))
        )
        .where(
            _models.c.context_window > 0,
            *_written_in(message_filter),
            *times_of(message_filter, messages),
            *message_filter.conditions(context, messages),
        )
        .order_by(share.desc(), sessions.c.session_id)
        .limit(limit)
    )
    return [
        ContextUse(
            session_id=row.session_id,
            title=row.title,
            model_id=row.model_id,
            context_window=int(row.context_window),
            tokens=int(row.tokens),
        )
        for row in context.execute(statement)
    ]
