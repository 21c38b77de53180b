"""Statements over the models that a SQLAlchemy session executes: what they cannot do is refused by a sentence."""

from __future__ import annotations

from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import ORMExecuteState
from sqlalchemy.orm import Session as OrmSession

from chatledger.errors import InvalidInput
from chatledger.models.message import Message
from chatledger.models.writing.context import context_of
from chatledger.models.writing.ownership import limit
from chatledger.schemas.digest import FIELDS

_COVERED = frozenset({*FIELDS, "created_at"})
_KEYS = frozenset({"session_id", "sequence_number"})
_COMPUTED = frozenset({"digest", "search_text", "search_extra"})


def install() -> None:
    """Register the event, for every session of the process: statements have no events by model."""
    event.listen(OrmSession, "do_orm_execute", _check)


def _check(state: ORMExecuteState) -> None:
    owner = context_of(state.session).owner
    if (state.is_insert or state.is_update) and state.bind_mapper is not None and state.bind_mapper.class_ is Message:
        if state.is_insert:
            _check_insert(state)
        else:
            _check_update(state)
    if owner is not None:
        limit(state, owner)


def _check_insert(state: ORMExecuteState) -> None:
    statement: Any = state.statement
    if getattr(statement, "_multi_values", None):
        raise InvalidInput(
            "values", "holds several rows, which cannot be numbered: use session.execute(insert(Message), rows)"
        )
    if getattr(statement, "select", None) is not None:
        raise InvalidInput(
            "from_select", "inserts messages that cannot be numbered: use session.execute(insert(Message), rows)"
        )
    if hasattr(getattr(statement, "_post_values_clause", None), "update_values_to_set"):
        raise InvalidInput(
            "on_conflict_do_update", "would leave the digest of a message behind: change the object, and flush"
        )
    for name in _given(state) & _COMPUTED:
        raise InvalidInput(name, "is computed from the message: leave it out")


def _check_update(state: ORMExecuteState) -> None:
    given = _given(state)
    # A row to update is found by its key, so a key among the rows is none that changes.
    changed = _named(state.statement) if state.is_executemany or state.parameters else given
    for name in sorted(changed & _KEYS):
        raise InvalidInput(name, "is part of a message's key and cannot be changed: add a new message instead")
    for name in sorted(given & (_COVERED | _COMPUTED)):
        raise InvalidInput(
            name,
            "belongs to a message's digest and search text, which update(Message) would leave behind: "
            "change the object, and flush",
        )


def _given(state: ORMExecuteState) -> set[str]:
    """The columns that a statement or its rows give values for."""
    parameters: Any = state.parameters or {}
    rows = parameters if isinstance(parameters, list | tuple) else [parameters]
    names = {name.removesuffix("_") if name == "metadata_" else name for row in rows for name in row}
    return names | _named(state.statement)


def _named(statement: Any) -> set[str]:
    values = dict(getattr(statement, "_values", None) or {})
    values.update(getattr(statement, "_ordered_values", None) or ())
    return {str(getattr(column, "key", column)) for column in values}
