"""What comparisons refer to and is not there: no foreign key looks after them."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import exists, func, select

from chatledger.services.base import ServiceContext
from chatledger.services.comparisons.statements import groups, members, results
from chatledger.services.rows import sessions


def groupless(context: ServiceContext) -> Iterator[tuple[str, str, int]]:
    """Rows of groups that are gone: table, group, rows."""
    for table in (members, results):
        there = exists(select(1).where(groups.c.group_id == table.c.group_id))
        statement = select(table.c.group_id, func.count().label("number")).where(~there)
        for row in context.execute(statement.group_by(table.c.group_id).order_by(table.c.group_id)):
            yield table.name, row.group_id, row.number


def without_session(context: ServiceContext) -> Iterator[tuple[str, str]]:
    """Sessions of comparisons that are gone: group, session."""
    there = exists(select(1).where(sessions.c.session_id == members.c.session_id))
    statement = select(members.c.group_id, members.c.session_id).where(~there)
    for row in context.execute(statement.order_by(members.c.group_id, members.c.session_id)):
        yield row.group_id, row.session_id
