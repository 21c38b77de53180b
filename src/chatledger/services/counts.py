"""How many rows there are, for `Ledger.info`."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from chatledger.services.rows import sessions


def count_rows(connection: Connection) -> dict[str, int]:
    """Sessions and messages. Messages are added up from the sessions' counters: counting them takes a scan."""
    row = connection.execute(select(func.count(), func.sum(sessions.c.message_count)).select_from(sessions)).one()
    return {"sessions": int(row[0]), "messages": int(row[1] or 0)}
