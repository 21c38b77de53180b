"""The statements of reading a session's messages, one for each combination of bounds."""

from __future__ import annotations

from functools import cache

from sqlalchemy import bindparam, select

from chatledger.dialects.types import Identifier, Whole
from chatledger.services.prepared import Prepared
from chatledger.services.rows import MESSAGE, messages
from chatledger.services.visibility import in_visible_session


@cache
def history_statement(*, has_owner: bool, backwards: bool, bounds: tuple[str, ...]) -> Prepared:
    number = messages.c.sequence_number
    statement = select(*MESSAGE).where(
        in_visible_session() if has_owner else messages.c.session_id == bindparam("session", type_=Identifier())
    )
    if "after" in bounds:
        statement = statement.where(number > bindparam("after", type_=Whole))
    if "before" in bounds:
        statement = statement.where(number < bindparam("before", type_=Whole))
    statement = statement.order_by(number.desc() if backwards else number)
    return Prepared(statement.limit(bindparam("count", type_=Whole)) if "count" in bounds else statement)
