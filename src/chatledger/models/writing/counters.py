"""The counters of loaded sessions, read again after a flush has moved them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import event, inspect, select
from sqlalchemy.orm import Session as OrmSession
from sqlalchemy.orm.attributes import set_committed_value

from chatledger.models.session import Session
from chatledger.models.writing.locking import sessions

COUNTERS = ("message_count", "total_tokens", "total_duration_ms", "total_cost", "last_sequence")
"""Columns of a session that only the database moves."""
# Columns that triggers move as well.
_MOVED = (*COUNTERS, "last_activity", "updated_at")
_TOUCHED = "chatledger_touched"
READ = "chatledger_counters"
"""In `InstanceState.info`: the counters that were read from the database."""


def touch(session: OrmSession, session_id: str) -> None:
    """Have a session's counters read again at the end of the flush, if it is loaded."""
    touched = session.info.get(_TOUCHED)
    if touched is None:
        touched = session.info[_TOUCHED] = set()
        event.listen(session, "after_flush_postexec", _read_again)
    touched.add(session_id)


def _read_again(session: OrmSession, _flush: Any) -> None:
    touched: set[str] = session.info[_TOUCHED]
    if not touched:
        return
    loaded: dict[str, Session] = {}
    for session_id in sorted(touched):
        one = session.identity_map.get(inspect(Session).identity_key_from_primary_key((session_id,)))
        if one is not None:
            loaded[session_id] = one
    touched.clear()
    refresh(session, loaded)


def refresh(session: OrmSession, loaded: dict[str, Session]) -> None:
    """Read the counters of loaded sessions again, without marking them as changed."""
    names = list(loaded)
    for start in range(0, len(names), 500):
        some = names[start : start + 500]
        statement = select(sessions.c.session_id, *(sessions.c[name] for name in _MOVED))
        for row in session.connection().execute(statement.where(sessions.c.session_id.in_(some))):
            one = loaded[row.session_id]
            state: Any = inspect(one)
            for name in _MOVED:
                if not state.attrs[name].history.has_changes():
                    set_committed_value(one, name, getattr(row, name))
            state.info[READ] = {name: getattr(row, name) for name in _MOVED}
