"""Figures of a whole ledger, for `Ledger.info` and `Ledger.health`."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, func, select

from chatledger.models import tables
from chatledger.services.rows import sessions


def count_rows(connection: Connection) -> dict[str, int]:
    """Sessions and messages. Messages are added up from the sessions' counters: counting them takes a scan."""
    row = connection.execute(select(func.count(), func.sum(sessions.c.message_count)).select_from(sessions)).one()
    return {"sessions": int(row[0]), "messages": int(row[1] or 0)}


def oldest_check(connection: Connection) -> datetime | None:
    """The moment at which a sweep should first have looked at a session, of all those that it has yet to look at."""
    found: datetime | None = connection.execute(select(func.min(tables.session_timeouts.c.next_check_at))).scalar()
    return found
